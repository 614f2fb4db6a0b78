"""The tide stations: facts that fit together and fit NOAA's own predictions; the live loader."""

import http.server
import importlib.util
import threading
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest

from runproof import datasets
from runproof.tides import stations
from runproof.tides.stations import WaterLevelError, load_water_levels
from tools.book import ROOT

RECORDED = Path(__file__).parent / "coops"
SAN_FRANCISCO, HONOLULU, NAPLES = 9414290, 1612340, 8725110
#: Speeds as NOAA publishes them, in degrees per hour.
NOAA_SPEEDS = {
    "M2": 28.984104,
    "S2": 30.0,
    "N2": 28.43973,
    "K1": 15.041069,
    "O1": 13.943035,
    "M4": 57.968208,
    "SA": 0.0410686,
}


def load(file=None):
    return datasets.load("tide_stations", file)


def tide(station, times):
    """Height above mean sea level from the yearly tables alone, straight from the card."""
    times = pd.DatetimeIndex(times)
    year = times[0].year
    table = load("constituents.csv").query(f"id == {station}")
    table = table.merge(load("equilibrium.csv").query(f"year == {year}"), on="constituent")
    table = table.merge(load("speeds.csv"), on="constituent")
    hours = np.asarray((times - pd.Timestamp(year, 1, 1)) / pd.Timedelta(hours=1))
    speed, phase = table["speed_deg_per_h"].to_numpy(), table["argument_deg"] - table["phase_deg"]
    amplitude = (table["node_factor"] * table["amplitude_m"]).to_numpy()
    return np.cos(np.radians(np.outer(hours, speed) + phase.to_numpy())) @ amplitude


# The tables


def test_stations_are_many_and_of_all_kinds():
    stations = load()
    assert len(stations) >= 60
    assert stations["id"].is_unique
    assert stations["id"].between(1_000_000, 9_999_999).all()
    assert stations["kind"].nunique() == 4
    assert (stations["kind"].value_counts() >= 10).all()
    assert stations["latitude_deg"].between(-20, 75).all()
    assert stations["longitude_deg"].between(-180, 180).all()
    names = " ".join(stations["name"])
    wanted = "Anchorage Honolulu Pensacola Boston Seattle Eastport Galveston"
    assert all(name in names for name in [*wanted.split(), "San Francisco", "Key West"])


def test_form_number_and_kind_follow_from_the_constants():
    constants = load("constituents.csv").pivot_table("amplitude_m", "id", "constituent")
    constants = constants.fillna(0.0)
    form = (constants["K1"] + constants["O1"]) / (constants["M2"] + constants["S2"])
    stations = load().set_index("id")
    # The published amplitudes were in feet; in rounded meters a small M2 moves the ratio.
    np.testing.assert_allclose(stations["form_number"], form[stations.index], rtol=0.02)
    limits = {
        "semidiurnal": (0, 0.25),
        "mixed, mainly semidiurnal": (0.25, 1.5),
        "mixed, mainly diurnal": (1.5, 3),
        "diurnal": (3, np.inf),
    }
    for kind, group in stations.groupby("kind"):
        assert group["form_number"].between(*limits[kind]).all()


def test_ranges_are_those_of_the_coast():
    """Huge at Anchorage and Eastport, tiny inside the Gulf of Mexico and in the Arctic."""
    m2 = load("constituents.csv").query("constituent == 'M2'").set_index("id")["amplitude_m"]
    assert m2.idxmax() == 9455920
    assert m2[9455920] == pytest.approx(3.5, abs=0.1)
    assert m2[8410140] == pytest.approx(2.7, abs=0.1)
    assert m2[8729840] < 0.03


def test_constants_are_in_range_and_tables_fit_together():
    stations, constituents = load(), load("constituents.csv")
    speeds, equilibrium = load("speeds.csv"), load("equilibrium.csv")
    assert not constituents.duplicated(["id", "constituent"]).any()
    assert constituents["amplitude_m"].between(0.0003, 4.0).all()
    assert constituents["phase_deg"].between(0, 360).all()
    counts = constituents["id"].value_counts()
    assert (stations.set_index("id")["constituents"] == counts[stations["id"]]).all()
    assert set(constituents["constituent"]) == set(speeds["constituent"])
    assert set(equilibrium["constituent"]) == set(speeds["constituent"])
    assert (equilibrium.groupby("constituent")["year"].apply(set) == set(range(1990, 2041))).all()
    assert equilibrium["argument_deg"].between(0, 360).all()
    assert (stations["datum_offset_m"] > 0).all()
    assert (stations["datum"] == "MLLW").all()


def test_speeds_are_those_noaa_publishes():
    speeds = load("speeds.csv").set_index("constituent")["speed_deg_per_h"]
    for name, speed in NOAA_SPEEDS.items():
        assert speeds[name] == pytest.approx(speed, abs=1e-6)


def test_arguments_advance_by_the_speed_from_year_to_year():
    """Over a year the argument of M2 turns by its speed, but for the change of u: 2 degrees."""
    table = load("equilibrium.csv").query("constituent == 'M2'").set_index("year")
    years = table.index.to_numpy()[:-1]
    hours = np.array([8784.0 if year % 4 == 0 else 8760.0 for year in years])
    turned = np.diff(table["argument_deg"]) - 28.9841042 * hours
    assert np.abs((turned + 180) % 360 - 180).max() < 1.0


def test_node_factors_follow_the_moons_node():
    """M2 and O1 are opposite, with 18.6 years; solar constituents have none."""
    table = load("equilibrium.csv").pivot_table("node_factor", "year", "constituent")
    assert (table[["S2", "P1", "SA"]] == 1).all(axis=None)
    assert table["M2"].between(0.962, 1.039).all()
    assert table["O1"].between(0.8, 1.19).all()
    assert np.corrcoef(table["M2"], table["O1"])[0, 1] < -0.99
    assert abs(table["O1"].idxmax() - 2006) <= 1  # the major lunar standstill of 2006


# Against what others predicted and measured


def test_yearly_tables_give_noaas_hourly_predictions():
    noaa = load("predictions.csv").query("kind == 'hourly'")
    offset = load().set_index("id").loc[SAN_FRANCISCO, "datum_offset_m"]
    ours = offset + tide(SAN_FRANCISCO, pd.to_datetime(noaa["time_utc"]))
    assert np.abs(ours - noaa["level_m"]).max() < 0.012


def test_high_and_low_waters_are_at_noaas_minutes():
    noaa = load("predictions.csv").query("kind != 'hourly'")
    times = pd.date_range("2026-09-26", "2026-09-28", freq="min")
    height = tide(SAN_FRANCISCO, times)
    turns = np.flatnonzero(np.diff(np.sign(np.diff(height)))) + 1
    apart = (times[turns] - pd.DatetimeIndex(noaa["time_utc"])) / pd.Timedelta(minutes=1)
    assert np.abs(apart).max() <= 4


def test_phases_are_greenwich_phases():
    """Honolulu as measured: 3 cm are left in UTC, more than twice that with clocks one hour off."""
    observed = load("observed.csv").query(f"id == {HONOLULU}")
    times = pd.DatetimeIndex(observed["time_utc"])
    left = {h: observed["level_m"] - tide(HONOLULU, times + pd.Timedelta(hours=h))
            for h in (-10, -1, 0, 1, 10)}  # fmt: skip
    assert left[0].std() < 0.035
    assert min(left[h].std() for h in left if h) > 0.07


def test_observed_levels_are_complete_and_the_hurricane_is_in_them():
    observed = load("observed.csv")
    for station, hours in ((HONOLULU, 744), (NAPLES, 18)):
        rows = observed[observed["id"] == station]
        times = pd.DatetimeIndex(rows["time_utc"])
        assert len(times) == hours
        assert (np.diff(times) == np.timedelta64(1, "h")).all()
    surge = rows["level_m"].to_numpy() - tide(NAPLES, times)
    offset = load().set_index("id").loc[NAPLES, "datum_offset_m"]
    assert surge.max() - offset == pytest.approx(1.9, abs=0.1)


# The script


@pytest.fixture(scope="module")
def make():
    spec = importlib.util.spec_from_file_location("make", ROOT / "data/tide_stations/make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def expanded(restriction="Public domain", zone="+00:00 :America/New_York", unit="feet"):
    """A text as restore_tide_db writes it, with one constituent and one station."""
    facts = {
        "source": "CO-OPS Metadata API",
        "restriction": restriction,
        "station_id": "1234567",
        "datum": "Mean Lower Low Water",
    }
    hot = "\n".join(f"# {key}: {value}" for key, value in facts.items())
    return f"""# Speeds
2
M2 28.9841042
S2 30.0
# First year
1700
# Arguments
2
M2
10.00
20.00
S2
 0.00 0.00
*END*
# Node factors
2
M2
1.0100 0.9900
S2
1.0000 1.0000
*END*
{hot}
# !latitude: 40.0
Somewhere
{zone}
1.0000 {unit}
M2 2.0000 100.00
x 0 0
"""


def parsed(make, text):
    lines = iter(text.split("\n"))
    names = list(make.read_speeds(lines))
    first = int(next(make.content(lines)))
    tables = [make.read_table(lines, names, first) for _ in range(2)]
    return tables, list(make.read_stations(lines, names))


def test_script_reads_the_expanded_text(make):
    tables, (station,) = parsed(make, expanded())
    assert tables[0] == {"M2": {1700: 10.0, 1701: 20.0}, "S2": {1700: 0.0, 1701: 0.0}}
    assert tables[1]["S2"] == {1700: 1.0, 1701: 1.0}
    assert station["constants"] == {"M2": (2.0, 100.0)}
    assert station["latitude"] == "40.0"
    assert station["name"] == "Somewhere"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"restriction": "Non-commercial use only"}, "public domain"),
        ({"zone": "-05:00 :America/New_York"}, "Greenwich"),
    ],
)
def test_script_refuses_what_would_change_the_meaning(make, change, message):
    with pytest.raises(ValueError, match=message):
        parsed(make, expanded(**change))


def test_script_leaves_currents_out(make):
    assert parsed(make, expanded(unit="knots"))[1] == []


# The live loader, against a stand-in for the service on this machine


class Service:
    """Answers requests with recorded files; keeps what was asked."""

    def __init__(self):
        self.queries, self.answers, self.status = [], [], 200

    def __call__(self, query):
        self.queries.append({key: values[0] for key, values in parse_qs(query).items()})
        answer = self.answers.pop(0)
        return (RECORDED / answer).read_bytes() if answer.endswith(".json") else answer.encode()


@pytest.fixture
def service():
    service = Service()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = service(urlsplit(self.path).query)
            self.send_response(service.status)
            self.send_header("Content-Type", "application/json;charset=UTF-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}/api/prod/datagetter"
    yield service
    server.shutdown()
    thread.join()
    server.server_close()


def test_recorded_hourly_answer_is_read(service):
    service.answers = ["hourly.json"]
    table = load_water_levels(9414290, "2024-09-26", "2024-09-26 01:00", url=service.url)
    assert table.index.tolist() == list(pd.date_range("2024-09-26", periods=2, freq="h"))
    assert table.index.tz is None
    assert table["level_m"].tolist() == [1.647, 1.76]
    assert table["sigma_m"].tolist() == [0.051, 0.038]
    assert service.queries == [
        {
            "station": "9414290",
            "product": "hourly_height",
            "datum": "MLLW",
            "begin_date": "20240926 00:00",
            "end_date": "20240926 01:00",
            "units": "metric",
            "time_zone": "gmt",
            "format": "json",
            "application": "runproof",
        }
    ]


def test_rows_that_the_service_leaves_out_are_nan(service):
    service.answers = ["naples.json"]
    span = ("2022-09-28 16:06", "2022-09-28 18:00")
    table = load_water_levels("8725110", *span, "water_level", url=service.url)
    assert len(table) == 20
    assert table["level_m"].count() == 11
    assert table["level_m"].last_valid_index() == pd.Timestamp("2022-09-28 17:06")


def test_missing_values_are_nan(service):
    service.answers = ["missing.json", "missing_sigma.json"]
    hours = load_water_levels(9414290, "2024-09-26 02:00", "2024-09-26 04:00", url=service.url)
    np.testing.assert_array_equal(hours["level_m"], [np.nan, np.nan, -0.012])
    span = ("2026-09-09 17:30", "2026-09-09 17:42", "water_level")
    table = load_water_levels(9414290, *span, url=service.url)
    assert table["level_m"].notna().all()
    assert table["sigma_m"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize(("product", "days", "pieces"), [("hourly_height", 731, 3),
                                                         ("water_level", 62, 3)])  # fmt: skip
def test_long_spans_are_asked_for_piece_by_piece(service, product, days, pieces):
    """Every time once, no piece beyond the service's limit, a gap where a piece is empty."""
    service.answers = ["hourly.json"] + ["no_data.json"] * (pieces - 1)
    begin = pd.Timestamp("2024-09-26")
    end = begin + pd.Timedelta(days=days)
    table = load_water_levels(9414290, begin, end, product, url=service.url)
    asked = [[pd.Timestamp(q[key]) for key in ("begin_date", "end_date")] for q in service.queries]
    step, longest = stations.PRODUCTS[product]
    assert len(asked) == pieces
    assert asked[0][0] == begin
    assert asked[-1][1] == end
    assert all(last - first < longest for first, last in asked)
    assert all(b[0] - a[1] == step for a, b in pairwise(asked))
    assert len(table) == (end - begin) // step + 1
    assert table["level_m"].count() == 2


def test_span_without_any_data_is_an_error(service):
    service.answers = ["no_data.json"]
    with pytest.raises(WaterLevelError, match=r"no hourly_height of station 9414290.*1800-01-01"):
        load_water_levels(9414290, "1800-01-01", "1800-01-01", url=service.url)


@pytest.mark.parametrize("status", [200, 400])
def test_refusal_is_told_in_the_services_words(service, status):
    service.answers, service.status = ["over_year.json"], status
    with pytest.raises(WaterLevelError, match=r"NOAA refuses: Wrong Date.*is 365 days$"):
        load_water_levels(9414290, "2024-01-01", "2024-01-02", url=service.url)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("<html>busy</html>", "no JSON but '<html>busy"),
        ("[]", "unknown form"),
        ('{"metadata": {"id": "9414290"}}', "unknown form"),
        ('{"metadata": {"id": "9414290"}, "data": [{"t": "noon", "v": "1", "s": ""}]}', "unknown"),
        ('{"metadata": {"id": "9414290"}, "data": [{"t": "2024-01-01 00:00"}]}', "unknown form"),
        ("naples.json", "asked for station 9414290, NOAA sent 8725110"),
    ],
)
def test_strange_answers_are_refused(service, answer, message):
    service.answers = [answer]
    with pytest.raises(WaterLevelError, match=message):
        load_water_levels(9414290, "2024-01-01", "2024-01-02", url=service.url)


def test_broken_service_is_told_with_its_status(service):
    service.answers, service.status = ["<html>Service Unavailable</html>"], 503
    with pytest.raises(WaterLevelError, match="NOAA answers 503"):
        load_water_levels(9414290, "2024-01-01", "2024-01-02", url=service.url)


def test_service_out_of_reach_is_told():
    with pytest.raises(WaterLevelError, match=r"cannot reach http://127\.0\.0\.1:9/"):
        load_water_levels(9414290, "2024-01-01", "2024-01-02", url="http://127.0.0.1:9/x")


def test_cache_saves_the_second_request(service, tmp_path):
    service.answers = ["hourly.json"]
    cache, span = tmp_path / "sf.csv", ("2024-09-26", "2024-09-26 03:00")
    first = load_water_levels(9414290, *span, cache=cache, url=service.url)
    second = load_water_levels(9414290, *span, cache=cache, url=service.url)
    pd.testing.assert_frame_equal(first, second, check_freq=False)
    assert len(service.queries) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["sf.csv"]


def test_cache_of_another_request_is_refused(service, tmp_path):
    service.answers = ["hourly.json"]
    cache = tmp_path / "sf.csv"
    load_water_levels(9414290, "2024-09-26", "2024-09-26 03:00", cache=cache, url=service.url)
    with pytest.raises(ValueError, match=r"holds another request\n.*datum MSL"):
        load_water_levels(9414290, "2024-09-26", "2024-09-26 03:00", datum="MSL", cache=cache)


def test_failure_leaves_no_cache_behind(service, tmp_path, monkeypatch):
    service.answers = ["hourly.json"]

    def full(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    span = ("2024-09-26", "2024-09-26 03:00")
    with pytest.raises(OSError, match="disk full"):
        load_water_levels(9414290, *span, cache=tmp_path / "sf.csv", url=service.url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"station": "941429"}, "station must be NOAA's number of seven digits, got '941429'"),
        ({"station": "94142900"}, "station"),
        ({"station": True}, "station"),
        ({"station": None}, "station"),
        ({"product": "predictions"}, "product must be one of hourly_height, water_level"),
        ({"datum": "mllw"}, "datum must be one of MLLW"),
        ({"begin": "soon"}, "begin must be a date"),
        ({"begin": None}, "begin must be a date"),
        ({"end": pd.NaT}, "end must be a date"),
        ({"begin": "2024-01-01 00:30"}, "begin must be a multiple of 60 minutes"),
        ({"begin": "2024-01-01T00:00-05:00"}, "begin must be in UTC"),
        ({"begin": "2024-01-03"}, "begin must not be after end"),
        ({"timeout": 0}, "timeout must be above 0"),
        ({"timeout": np.inf}, "timeout must be above 0"),
        ({"application": " "}, "application must be a name"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_asked(service, change, message):
    arguments = {"station": "9414290", "begin": "2024-01-01", "end": "2024-01-02"} | change
    with pytest.raises(ValueError, match=message):
        load_water_levels(**arguments, url=service.url)
    assert service.queries == []


def test_times_may_say_that_they_are_utc(service):
    service.answers = ["hourly.json"]
    begin = pd.Timestamp("2024-09-26", tz="UTC")
    table = load_water_levels(9414290, begin, np.datetime64("2024-09-26T01"), url=service.url)
    assert table["level_m"].tolist() == [1.647, 1.76]
