import erfa
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runproof.validation
from runproof import datasets, tides
from runproof.tides import (
    CONSTITUENTS,
    arguments,
    design,
    fill_gaps,
    fit,
    gaps,
    predict,
    rayleigh_select,
    weather,
)

several = settings(deadline=None, max_examples=30)
few = settings(deadline=None, max_examples=5)

HONOLULU = {  # amplitudes in m and Greenwich phases in degrees, about those of Honolulu
    "M2": (0.165, 60.0),
    "S2": (0.05, 50.0),
    "N2": (0.03, 45.0),
    "K1": (0.155, 230.0),
    "O1": (0.085, 220.0),
    "P1": (0.05, 228.0),
    "M4": (0.004, 10.0),
    "SSA": (0.02, 100.0),
}

# Nodal corrections that XTide takes from Foreman, not from Schureman, or for its M1 from the
# perigee in the middle of the year
NOT_SCHUREMAN = {"M1"}


def hours(start, count, step="h"):
    return (np.datetime64(start, step) + np.arange(count)).astype("datetime64[ns]")


def year_starts(first, last):
    return np.array([f"{year}-01-01" for year in range(first, last + 1)], dtype="datetime64[ns]")


def turn(degrees):
    """Return an angle in -180 .. 180 degrees."""
    return (np.asarray(degrees) + 180) % 360 - 180


def red_noise(n, rng, std=0.05, exponent=2.0):
    """Return noise with a spectrum that falls as a power of frequency, flat below 1/10 days."""
    frequency = np.fft.rfftfreq(4 * n)
    spectrum = (1 + (frequency * 240) ** 2) ** (-exponent / 2)
    z = rng.normal(size=(2, len(frequency))) * np.sqrt(spectrum)
    noise = np.fft.irfft(z[0] + 1j * z[1])
    return std * noise[:n] * np.sqrt(len(noise) ** 2 / (4 * spectrum.sum()))


# The astronomy, against published tables and against a modern theory


def test_speeds_are_those_of_xtide_to_its_last_digit():
    speeds = datasets.load("tide_stations", "speeds.csv").set_index("constituent")
    names = [tides.astronomy.ALIASES.get(name, name) for name in speeds.index]
    ours = CONSTITUENTS.speed_deg_per_h[names].to_numpy()
    assert len(names) > 100
    assert np.abs(ours - speeds.speed_deg_per_h.to_numpy()).max() < 0.51e-7


@pytest.mark.parametrize(
    ("name", "speed"),
    [
        ("M2", 28.984104),
        ("S2", 30.0),
        ("N2", 28.43973),
        ("K1", 15.041069),
        ("O1", 13.943035),
        ("M4", 57.96821),
        ("SA", 0.0410686),
        ("MF", 1.0980331),
        ("2MK3", 42.92714),
    ],
)
def test_speeds_are_noaas(name, speed):
    assert CONSTITUENTS.speed_deg_per_h[name] == pytest.approx(speed, abs=2e-6)


def test_yearly_arguments_and_node_factors_are_xtides_to_the_last_digit():
    table = datasets.load("tide_stations", "equilibrium.csv")
    first, last = table.year.min(), table.year.max()
    starts = year_starts(first, last + 1)
    middles = starts[:-1] + np.diff(starts) // 2
    compared = 0
    for name, rows in table.groupby("constituent"):
        if name in NOT_SCHUREMAN:
            continue
        at_start, in_middle = arguments(starts[:-1], [name]), arguments(middles, [name])
        rows = rows.sort_values("year")
        error = turn(at_start.v[:, 0] + in_middle.u[:, 0] - rows.argument_deg.to_numpy())
        assert np.abs(error).max() < 0.0051, name
        assert np.abs(in_middle.f[:, 0] - rows.node_factor.to_numpy()).max() < 5.1e-5, name
        compared += len(rows)
    assert compared > 5000


def test_m1_differs_from_xtides_only_by_the_perigee_of_the_middle_of_the_year():
    table = datasets.load("tide_stations", "equilibrium.csv")
    rows = table[table.constituent == "M1"].sort_values("year")
    starts = year_starts(rows.year.min(), rows.year.max() + 1)
    middles = starts[:-1] + np.diff(starts) // 2
    at_start, in_middle = arguments(starts[:-1], ["M1"]), arguments(middles, ["M1"])
    moved = np.rad2deg(
        tides.astronomy._angles(middles)[3] - tides.astronomy._angles(starts[:-1])[3]
    )
    error = turn(at_start.v[:, 0] + moved + in_middle.u[:, 0] - rows.argument_deg.to_numpy())
    assert np.abs(error).max() < 0.0051
    assert np.abs(in_middle.f[:, 0] - rows.node_factor.to_numpy()).max() < 5.1e-5


def test_angles_are_those_of_the_iers_theory_to_a_minute_of_arc():
    times = year_starts(1900, 2050)
    days = (times - np.datetime64("2000-01-01T12", "ns")) / np.timedelta64(1, "D")
    t = days / 36525
    moon, sun, argument, elongation, node = (
        np.rad2deg(function(t))
        for function in (erfa.fal03, erfa.falp03, erfa.faf03, erfa.fad03, erfa.faom03)
    )
    s = argument + node
    h = s - elongation
    expected = [h - s, s, h, s - moon, h - sun, node]  # tau is h - s at midnight
    for ours, theirs, bound in zip(
        tides.astronomy._angles(times), expected, [0.05, 0.05, 0.02, 0.02, 0.02, 0.02], strict=True
    ):
        assert np.abs(turn(np.rad2deg(ours) - theirs)).max() < bound


@pytest.mark.parametrize(
    ("name", "phase", "factor"),  # V + u and f at 2020-06-01 0 h from UTide 0.4.0 (Foreman)
    [
        ("M2", 121.67, 1.0010),
        ("S2", 0.14, 1.0000),
        ("N2", 127.39, 1.0038),
        ("K1", 151.18, 1.0145),
        ("O1", 334.17, 1.0165),
        ("K2", 122.33, 1.0158),
        ("P1", 199.38, 0.9983),
    ],
)
def test_nodal_corrections_are_near_foremans(name, phase, factor):
    found = arguments(np.datetime64("2020-06-01"), [name])
    assert np.abs(turn(found.v + found.u - phase)) < 1.0
    assert found.f == pytest.approx(factor, abs=0.015)


def test_shallow_water_lines_are_sums_of_their_parts():
    times = hours("2021-03-01", 50)
    m2, s2, n2, k1 = (arguments(times, [name]) for name in ("M2", "S2", "N2", "K1"))
    found = arguments(times, ["MSN2", "2MK3", "M8"])
    for j, (v, f) in enumerate(
        [
            (m2.v + m2.u + s2.v - n2.v - n2.u, m2.f * n2.f),
            (2 * (m2.v + m2.u) - k1.v - k1.u, m2.f**2 * k1.f),
            (4 * (m2.v + m2.u), m2.f**4),
        ]
    ):
        assert np.abs(turn(found.v[:, j] + found.u[:, j] - v[:, 0])).max() < 1e-9
        assert found.f[:, j] == pytest.approx(f[:, 0])


@pytest.mark.parametrize("year", [1700, 1899, 1900, 2192, 2193, 2200])
def test_the_suns_tide_is_high_at_midnight_of_every_year(year):
    times = np.array([f"{year}-12-31", f"{year}-06-01T06"], dtype="datetime64[ns]")
    assert turn(arguments(times, ["S2"]).v[:, 0]) == pytest.approx([0, -180], abs=1e-6)
    moon = arguments([*times[:1], *(times[:1] - np.timedelta64(10, "D"))], ["M2"]).v[:, 0]
    assert turn(moon[0] - moon[1] - 240 * 28.9841042) == pytest.approx(0, abs=1e-3)


def test_arguments_advance_with_the_speed():
    times = hours("2023-01-01", 2)
    found = arguments(times, CONSTITUENTS.index)
    assert np.abs(turn(found.v[1] - found.v[0]) - turn(CONSTITUENTS.speed_deg_per_h)).max() < 1e-5


@several
@given(days=st.floats(0.5, 4000), rayleigh=st.floats(0.5, 2))
def test_selected_lines_are_apart_and_grow_in_number(days, rayleigh):
    names = rayleigh_select(24 * days, rayleigh)
    speeds = np.append(0, CONSTITUENTS.speed_deg_per_h[names])
    assert (np.diff(np.sort(speeds)) * 24 * days / 360 >= rayleigh * (1 - 1e-12)).all()
    assert set(names) <= set(rayleigh_select(24 * days * 1.3, rayleigh))


def test_selection_of_common_lengths():
    assert {"M2", "K1", "S2", "O1"} <= set(rayleigh_select(15 * 24))
    assert "N2" not in rayleigh_select(15 * 24)
    assert "K2" not in rayleigh_select(170 * 24)
    assert {"SA", "K2", "T2", "PSI1"} <= set(rayleigh_select(365 * 24))


# Prediction


def test_prediction_is_the_sum_of_cosines():
    times = hours("2019-06-01", 200)
    names = list(HONOLULU)
    found = arguments(times, names)
    expected = sum(
        found.f[:, j] * height * np.cos(np.deg2rad(found.v[:, j] + found.u[:, j] - phase))
        for j, (height, phase) in enumerate(HONOLULU.values())
    )
    assert predict(HONOLULU, times, 1.5) == pytest.approx(expected + 1.5, abs=1e-12)


def test_prediction_is_noaas_for_san_francisco():
    published = datasets.load("tide_stations", "predictions.csv")
    stations = datasets.load("tide_stations", "stations.csv").set_index("id")
    offset = float(stations.datum_offset_m[9414290])
    ours = predict("9414290", pd.to_datetime(published.time_utc), offset)
    assert np.abs(ours - published.level_m).max() < 0.02  # constants of 2019, levels of 2026


@pytest.mark.parametrize("station", ["9414290", "9455920", "1612340"])
def test_prediction_is_that_of_the_yearly_tables(station):
    table = datasets.load("tide_stations", "equilibrium.csv")
    table = table[table.year == 2020].set_index("constituent")
    speeds = datasets.load("tide_stations", "speeds.csv").set_index("constituent").speed_deg_per_h
    constants = datasets.load("tide_stations", "constituents.csv").astype({"id": str})
    constants = constants[(constants.id == station) & (constants.constituent != "M1")]
    names = constants.constituent
    t = np.arange(8784)[:, None]
    angle = table.argument_deg[names].to_numpy() + speeds[names].to_numpy() * t
    factors = table.node_factor[names].to_numpy() * constants.amplitude_m.to_numpy()
    expected = (factors * np.cos(np.deg2rad(angle - constants.phase_deg.to_numpy()))).sum(1)
    error = predict(constants, hours("2020-01-01", 8784)) - expected
    # f and u of the middle of the year, not of the time: some thousandths of the range
    assert np.sqrt(np.mean(error**2)) < 0.002 * np.ptp(expected)


def test_constants_may_be_given_in_every_form():
    times = hours("2020-01-01", 30)
    table = pd.DataFrame(HONOLULU, ["amplitude", "phase_deg"]).T
    expected = predict(HONOLULU, times)
    column = table.rename_axis("constituent").reset_index()
    meters = column.rename(columns={"amplitude": "amplitude_m"})
    for form in (table, column, meters):
        assert np.array_equal(predict(form, times), expected)
    assert predict({"LDA2": (1, 0)}, times) == pytest.approx(predict({"LAM2": (1, 0)}, times))
    assert predict({}, times).tolist() == [0.0] * 30
    assert predict(HONOLULU, times[:0]).shape == (0,)


def test_times_may_have_any_unit_and_order():
    times = hours("2020-01-01", 30)
    expected = predict(HONOLULU, times)
    for form in (times.astype("M8[s]"), pd.DatetimeIndex(times), pd.Series(times)):
        assert np.array_equal(predict(HONOLULU, form), expected)
    assert predict(HONOLULU, times[::-1]) == pytest.approx(expected[::-1], abs=1e-14)
    assert predict(HONOLULU, pd.Timestamp(times[7])) == pytest.approx(expected[7:8], abs=1e-14)


# Fit


def test_a_year_without_noise_gives_the_constants_back():
    times, later = hours("2019-01-01", 8760), hours("2021-01-01", 3000)
    found = fit(times, predict("9414290", times, 2.0))
    assert np.abs(found.predict(later) - predict("9414290", later, 2.0)).max() < 1e-9
    truth = datasets.load("tide_stations", "constituents.csv")
    truth = truth[truth.id == 9414290].replace({"constituent": tides.astronomy.ALIASES})
    table = found.table.loc[truth.constituent]
    assert np.abs(table.amplitude.to_numpy() - truth.amplitude_m.to_numpy()).max() < 1e-9
    assert np.abs(turn(table.phase_deg.to_numpy() - truth.phase_deg.to_numpy())).max() < 1e-4


def test_fit_equals_plain_least_squares():
    rng = np.random.default_rng(1)
    times = np.sort(hours("2020-01-01", 4000)[rng.permutation(4000)[:2500]])
    levels = predict(HONOLULU, times, 1.0) + red_noise(2500, rng)
    names = ["SSA", "O1", "K1", "P1", "N2", "M2", "S2", "M4"]
    found = fit(times, levels, names)
    angles = arguments(times, names)
    turned = np.deg2rad(angles.v + angles.u)
    middle = times[0] + (times[-1] - times[0]) // 2
    years = (times - middle) / np.timedelta64(1, "h") / (24 * 365.25)
    matrix = np.hstack([angles.f * np.cos(turned), angles.f * np.sin(turned)])
    matrix = np.column_stack([matrix, np.ones(2500), years])
    beta = np.linalg.lstsq(matrix, levels)[0]
    amplitude, phase = found.table.loc[names, ["amplitude", "phase_deg"]].to_numpy().T
    assert amplitude == pytest.approx(np.hypot(beta[:8], beta[8:16]), abs=1e-12)
    assert phase == pytest.approx(np.rad2deg(np.arctan2(beta[8:16], beta[:8])) % 360, abs=1e-7)
    assert [found.mean, found.trend] == pytest.approx(beta[16:].tolist(), abs=1e-12)
    residual = levels - matrix @ beta
    assert found.residual_std == pytest.approx(np.sqrt(np.mean(residual**2)))


def test_a_month_of_honolulu_is_utides():
    levels = datasets.load("tide_stations", "observed.csv")
    levels = levels[levels.id == 1612340]
    theirs = datasets.load("tide_stations", "utide.csv").set_index("constituent")
    lines = theirs.index.tolist()
    times = pd.to_datetime(levels.time_utc)
    ours = fit(times, levels.level_m, lines, trend=False).table.loc[lines]
    # Foreman's node factors there, Schureman's here
    assert ours.amplitude.to_numpy() == pytest.approx(theirs.amplitude_m, abs=2e-4)
    assert np.abs(ours.phase_deg - theirs.phase_deg).max() < 1.0
    assert (ours.amplitude_ci / theirs.amplitude_ci_m).between(1.0, 1.7).all()


def test_order_gaps_and_blocks_do_not_matter(monkeypatch):
    rng = np.random.default_rng(2)
    times = hours("2020-01-01", 3000)
    levels = predict(HONOLULU, times) + red_noise(3000, rng)
    levels[500:900] = np.nan
    expected = fit(times, levels)
    seen = np.isfinite(levels)
    shuffled = rng.permutation(np.flatnonzero(seen))
    monkeypatch.setattr(design, "BLOCK", 170)
    monkeypatch.setattr(design, "KEEP", 0)
    for found in (fit(times, levels), fit(times[shuffled], levels[shuffled])):
        assert found.nobs == 2600
        assert found.table.amplitude.to_numpy() == pytest.approx(
            expected.table.amplitude, abs=1e-12
        )
        assert found.table.amplitude_ci.to_numpy() == pytest.approx(expected.table.amplitude_ci)


def test_confidence_intervals_of_white_noise_are_the_textbooks():
    rng = np.random.default_rng(3)
    times, sigma = hours("2020-01-01", 8760), 0.1
    found = fit(times, predict(HONOLULU, times) + sigma * rng.normal(size=8760))
    expected = 2.02 * sigma * np.sqrt(2 / 8760)
    assert found.table.amplitude_ci.median() == pytest.approx(expected, rel=0.1)
    m2 = found.table.loc["M2"]
    assert m2.phase_ci_deg == pytest.approx(np.rad2deg(m2.amplitude_ci / m2.amplitude), rel=0.05)
    assert m2.snr == pytest.approx((m2.amplitude * 2.02 / m2.amplitude_ci) ** 2, rel=0.01)


@pytest.mark.parametrize("exponent", [0.0, 2.0])
def test_confidence_intervals_cover_the_truth_as_often_as_they_say(exponent):
    times = hours("2020-01-01", 120 * 24)
    names = ["O1", "K1", "M2", "S2", "M4"]
    constants = {name: HONOLULU[name] for name in names}
    truth = np.array(list(constants.values()))
    rng = np.random.default_rng(4)
    inside = []
    for _ in range(80):
        noise = red_noise(len(times), rng, 0.1, exponent)
        noise[200:700] = np.nan
        table = fit(times, predict(constants, times) + noise).table.loc[names]
        inside.append(np.abs(table.amplitude - truth[:, 0]) < table.amplitude_ci)
        inside.append(np.abs(turn(table.phase_deg - truth[:, 1])) < table.phase_ci_deg)
    assert 0.92 < np.mean(inside) < 0.98


def test_lines_of_noise_are_not_used():
    rng = np.random.default_rng(5)
    times = hours("2020-01-01", 8760)
    levels = predict({"M2": (0.5, 30)}, times) + 0.1 * rng.normal(size=8760)
    found = fit(times, levels)
    assert found.table.significant["M2"]
    assert found.table.significant.mean() < 0.3  # chance: exp(-2) = 0.135
    only = found.table[found.table.significant]
    assert np.ptp(found.predict(times) - predict(only, times)) == pytest.approx(
        abs(found.trend) * 8759 / 8766, rel=1e-6
    )


def test_huber_resists_spikes():
    rng = np.random.default_rng(6)
    times = hours("2020-01-01", 3000)
    levels = predict(HONOLULU, times) + 0.01 * rng.normal(size=3000)
    levels[rng.permutation(3000)[:90]] += 3.0
    plain, robust = (fit(times, levels, method=method) for method in ("ols", "huber"))
    error = {fitted.method: abs(fitted.table.amplitude["M2"] - 0.165) for fitted in (plain, robust)}
    assert error["huber"] < 0.002 < error["ols"]
    assert abs(robust.mean) < 0.005 < abs(plain.mean)


def test_a_trend_is_reported_and_not_extrapolated():
    rng = np.random.default_rng(7)
    times = hours("2010-01-01", 3 * 8766)
    years = (times - times[0]) / np.timedelta64(1, "h") / 8766
    found = fit(times, predict(HONOLULU, times) + 0.1 * years + 0.01 * rng.normal(size=len(times)))
    assert found.trend == pytest.approx(0.1, abs=0.005)
    assert abs(found.trend - 0.1) < found.trend_ci < 0.02
    later = hours("2060-01-01", 1000)
    held, gone = found.predict(later), found.predict(later, trend="extrapolate")
    assert abs(held.mean() - found.mean - 1.5 * found.trend) < 0.05
    assert gone.mean() - held.mean() == pytest.approx(47 * found.trend, rel=0.01)
    assert np.isnan(fit(times, years, ["M2"], trend=False).trend_ci)


def test_nearly_singular_normal_equations_are_replaced():
    times = hours("2020-01-01", 24 * 4)
    truth = {"S2": (0.5, 10.0), "T2": (0.2, 40.0)}
    found = fit(times, predict(truth, times), list(truth), trend=False)
    assert found.table.amplitude["T2"] == pytest.approx(0.2, abs=1e-6)
    with pytest.raises(ValueError, match="cannot tell apart EPS2, MNS2"):
        fit(hours("2020-01-01", 12, "m"), np.arange(12), ["EPS2", "MNS2"])


def test_lines_beyond_nyquist_are_not_chosen():
    times = hours("2020-01-01", 300) + np.arange(300) * np.timedelta64(23, "h")
    found = fit(times, np.random.default_rng(8).normal(size=300))
    assert "M2" not in found.table.index
    assert "MF" in found.table.index


# Gaps


def record(days=60, seed=0, noise=0.003):
    """Return times, true levels and readings with gaps, of a simulated gauge."""
    rng = np.random.default_rng(seed)
    times = hours("2020-01-01", 24 * days)
    truth = predict(HONOLULU, times, 2.0) + red_noise(len(times), rng)
    levels = truth + noise * rng.normal(size=len(times))
    for start in rng.integers(0, len(times) - 100, 3):
        levels[start : start + rng.integers(20, 100)] = np.nan
    return times, truth, levels


def by_dense_matrices(times, levels, names, weather, span):
    """Return mean and deviation by the textbook: universal kriging with all matrices whole."""
    lag = (times[:, None] - times) / np.timedelta64(1, "h")
    covariance, seen = weather.covariance(lag), np.isfinite(levels)
    angles = arguments(times, names)
    turned = np.deg2rad(angles.v + angles.u)
    years = (np.clip(times, *span) - span[0]) / np.timedelta64(1, "h") / 8766
    columns = [angles.f * np.cos(turned), angles.f * np.sin(turned), np.ones((len(times), 1))]
    matrix = np.hstack([*columns, years[:, None]])
    inside = covariance[np.ix_(seen, seen)] + weather.noise_std**2 * np.eye(seen.sum())
    weights = np.linalg.solve(inside, covariance[seen])
    solved = np.linalg.solve(inside, matrix[seen])
    information = matrix[seen].T @ solved
    beta = np.linalg.solve(information, solved.T @ levels[seen])
    rest = matrix - weights.T @ matrix[seen]
    mean = matrix @ beta + weights.T @ (levels[seen] - matrix[seen] @ beta)
    variance = np.diag(covariance) - (weights * covariance[seen]).sum(0)
    variance += (rest * np.linalg.solve(information, rest.T).T).sum(1)
    return mean, np.sqrt(variance), matrix @ beta


@pytest.mark.parametrize("regular", [True, False])
def test_filling_is_universal_kriging(regular):
    times, _, levels = record(30)
    if not regular:
        keep = np.random.default_rng(1).random(len(times)) < 0.6
        minutes = np.random.default_rng(2).integers(0, 59, len(times))
        times, levels = (times + minutes * np.timedelta64(1, "m"))[keep], levels[keep]
    names = ["O1", "K1", "N2", "M2", "S2", "M4"]
    filled = fill_gaps(times, levels, names)
    known = times[np.isfinite(levels)]
    mean, std, tide = by_dense_matrices(times, levels, names, filled.weather, (known[0], known[-1]))
    assert filled.mean == pytest.approx(mean, abs=1e-8)
    assert filled.std_given_law == pytest.approx(std, abs=1e-7)
    assert (filled.std >= filled.std_given_law).all()
    assert filled.tide == pytest.approx(tide, abs=1e-6)
    reading = np.hypot(filled.std, filled.weather.noise_std)
    assert filled.std_reading == pytest.approx(reading, abs=1e-12)


def test_given_levels_are_kept_and_missing_ones_filled():
    times, _, levels = record()
    filled = fill_gaps(times, levels)
    missing = np.isnan(levels)
    assert np.array_equal(filled.missing, missing)
    assert np.array_equal(filled.levels[~missing], levels[~missing])
    assert np.array_equal(filled.levels[missing], filled.mean[missing])
    assert (filled.std > 0).all()
    assert filled.std[missing].min() > np.median(filled.std[~missing])
    frame = filled.to_frame()
    assert frame.loc[times[5], "mean"] == filled.mean[5]
    assert filled.fit.table.amplitude["M2"] == pytest.approx(0.165, abs=0.01)


def walk(n, seed, times=1):
    """Return a random walk, or one summed again: strongly correlated weather."""
    steps = np.random.default_rng(seed).normal(size=n)
    for _ in range(times):
        steps = np.cumsum(0.01 * steps)
    return steps


def awkward(name):
    """Return times, levels with a gap, and lines of a record that tells little of the law."""
    n, lines, rng = 480, ["O1", "K1", "M2", "S2"], np.random.default_rng(5)
    times = hours("2020-01-01", n)
    tide = predict({name: HONOLULU[name] for name in lines}, times, 1.5)
    levels = {
        "white noise": rng.normal(size=n),
        "a random walk": tide + walk(n, 1),
        "smooth": tide + walk(n, 2, 2),
        "short": (tide + 0.05 * rng.normal(size=n))[:14],
        "constant": np.full(n, 2.5),
        "nothing but tide": tide,
        "a slow line more": tide + predict({"SSA": HONOLULU["SSA"]}, times),
        "two values": tide + 0.02 * (rng.random(n) < 0.5),
        "a spike": tide + 3.0 * (np.arange(n) == 100),
        "rounded": np.round(tide + red_noise(n, rng), 1),
        "a step": tide + (np.arange(n) > 350),
    }[name].copy()
    n = len(levels)
    levels[n // 2 : n // 2 + max(2, n // 9)] = np.nan
    return times[:n], levels, lines if n > 20 else ["M2"]


AWKWARD = [
    "white noise",
    "a random walk",
    "smooth",
    "short",
    "constant",
    "nothing but tide",
    "a slow line more",
    "two values",
    "a spike",
    "rounded",
    "a step",
]


@pytest.mark.parametrize("name", [*AWKWARD, "a gauge"])
def test_rounding_and_blocks_do_not_matter(name, monkeypatch):
    times, levels, lines = awkward(name) if name in AWKWARD else (*record()[::2], ["K1", "M2"])
    expected = fill_gaps(times, levels, lines)
    rng = np.random.default_rng(6)
    nearly = levels * (1 + 1e-12 * rng.normal(size=len(levels)))
    others = [fill_gaps(times, nearly, lines)]
    monkeypatch.setattr(design, "BLOCK", 97)
    monkeypatch.setattr(design, "KEEP", 0)
    others.append(fill_gaps(times, levels, lines))
    for found in others:
        # A variance is a difference of two, each as large as the weather's.
        power = 1e-9 * np.nanvar(levels)
        assert found.std**2 == pytest.approx(expected.std**2, rel=1e-5, abs=power)
        assert found.mean == pytest.approx(expected.mean, abs=1e-6 * np.nanmax(levels))
        assert found.message == expected.message
        assert found.weather.converged


def test_what_the_record_does_not_tell_is_said():
    months = ("seasonal scale", "slow scale")
    noise = fill_gaps(*awkward("white noise"))
    assert set(months) < set(noise.weather.undetermined)
    assert "noise std" not in noise.weather.undetermined
    assert noise.weather.told["noise std"] > 0.9
    assert noise.law_error > 0.2
    assert "prior decides" in noise.message
    assert f"{noise.law_error:.0%}" in repr(noise)
    assert repr(noise).startswith("FilledSeries of 480 levels, 53 of them filled; 4 lines")
    assert "white noise" in repr(noise.weather)
    assert noise.weather.message in repr(noise.weather)

    slow = fill_gaps(*awkward("a slow line more"))
    assert "noise std" in slow.weather.at_bound
    assert "On a bound of the search" in slow.message

    for name in ("constant", "nothing but tide"):
        bare = fill_gaps(*awkward(name))
        assert "nothing but rounding errors" in bare.message
        assert not bare.weather.told.any()
        assert bare.std.max() < 1e-8

    times, _, levels = record()
    gauge = fill_gaps(times, levels, ["K1", "M2"])  # whose other lines look like weather
    assert gauge.weather.rival < 3
    assert "Another law is less probable" in gauge.message


def test_a_long_record_tells_its_law():
    rng = np.random.default_rng(7)
    times = hours("2019-01-01", 4000)
    levels = red_noise(4000, rng) + 0.02 * rng.normal(size=4000)
    levels[2000:2100] = np.nan
    found = fill_gaps(times, levels, ["M2"])
    assert found.weather.told["noise std"] > 0.99
    assert found.law_error < 0.08
    assert found.weather.noise_std == pytest.approx(0.02, rel=0.1)


def test_the_score_is_the_derivative_of_the_likelihood():
    times, _, levels = record(20)
    minutes = np.random.default_rng(1).integers(0, 59, len(times))
    times = times + minutes * np.timedelta64(1, "m")
    known = np.isfinite(levels)
    times, levels = times[known], levels[known]
    part = design.Design(times, ["MF"], (times[0], times[-1]))
    pieces = gaps._pieces(part, levels - levels.mean())
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=len(weather.CENTER))
        _, slope = weather._cost(x, pieces, 0.01)
        moved = [
            [weather._cost(x + h * e, pieces, 0.01)[0] for h in (1e-4, -1e-4)]
            for e in np.eye(len(x))
        ]
        assert slope == pytest.approx(-np.diff(moved)[:, 0] / 2e-4, rel=1e-5, abs=1e-4)


def test_the_likelihood_is_that_of_dense_matrices():
    times, _, levels = record(15)
    known = np.isfinite(levels)
    times, levels = times[known], levels[known]
    part = design.Design(times, ["MF"], (times[0], times[-1]))
    pieces = gaps._pieces(part, levels)
    x = np.random.default_rng(3).normal(size=len(weather.CENTER))
    law = weather.describe(x, 0.01, np.ones(len(x)))
    lag = (times[:, None] - times) / np.timedelta64(1, "h")
    covariance = law.covariance(lag) + law.noise_std**2 * np.eye(len(times))
    matrix = pieces[0][1][:, :-1]
    solved = np.linalg.solve(covariance, matrix)
    information = matrix.T @ solved
    rest = levels - matrix @ np.linalg.solve(information, solved.T @ levels)
    expected = rest @ np.linalg.solve(covariance, rest)
    expected += sum(np.linalg.slogdet(m)[1] for m in (covariance, information))
    assert weather._cost(x, pieces, 0.01)[0] == pytest.approx((expected + x @ x) / 2, rel=1e-9)


def test_the_law_is_the_most_probable_one_when_all_lines_are_allowed_for():
    times, _, levels = record(12)
    known = np.isfinite(levels)
    times, levels = times[known], levels[known]
    part = design.Design(times, ["O1", "K1", "N2", "M2", "S2", "M4"], (times[0], times[-1]))
    best, _, power, _ = gaps._law(part, levels)
    lag = (times[:, None] - times) / np.timedelta64(1, "h")
    matrix = part.block(slice(0, len(times))).T

    def cost(x):  # by dense matrices
        law = weather.describe(x, power, np.ones(len(x)))
        covariance = law.covariance(lag) + law.noise_std**2 * np.eye(len(times))
        solved = np.linalg.solve(covariance, matrix)
        information = matrix.T @ solved
        rest = levels - matrix @ np.linalg.solve(information, solved.T @ levels)
        value = rest @ np.linalg.solve(covariance, rest) + x @ x
        return value + sum(np.linalg.slogdet(m)[1] for m in (covariance, information))

    for e in np.eye(len(best)):
        assert min(cost(best + 0.1 * e), cost(best - 0.1 * e)) > cost(best)


def test_a_long_record_may_have_its_gap_at_the_start(monkeypatch):
    monkeypatch.setattr(gaps, "LONGEST", 300)
    times, _, levels = record(30)
    levels = np.where(np.isnan(levels), 1.0, levels)
    levels[100:150] = np.nan
    filled = fill_gaps(times, levels, ["K1", "M2"])
    assert 0 < filled.law_error < 1
    assert "nan" not in filled.message


def test_bands_hold_the_truth_as_often_as_they_say():
    inside, errors, naive = [], [], []
    names = ["O1", "K1", "P1", "N2", "M2", "S2", "M4"]
    for seed in range(12):
        times, truth, levels = record(60, seed)
        filled = fill_gaps(times, levels, names)
        gap = filled.missing
        error = filled.mean - truth
        inside.append(np.abs(error[gap]) < 1.96 * filled.std[gap])
        errors.append(error[gap])
        naive.append(fit(times, levels, names).predict(times)[gap] - truth[gap])
    assert 0.88 < np.mean(np.concatenate(inside)) < 0.985
    ratio = np.square(np.concatenate(errors)).mean() / np.square(np.concatenate(naive)).mean()
    assert ratio < 0.7


def test_the_law_is_learned_from_part_of_a_long_record(monkeypatch):
    times, _, levels = record(120, 3)
    whole = fill_gaps(times, levels)
    monkeypatch.setattr(gaps, "LONGEST", 1500)
    part = fill_gaps(times, levels)
    gap = whole.missing
    assert np.abs(part.mean - whole.mean).max() < 0.02
    assert 0.6 < np.median(part.std[gap] / whole.std[gap]) < 1.6


def test_a_forecast_goes_to_the_tide_and_never_runs_away():
    times, _, levels = record()
    levels = levels + np.linspace(0, 0.1, len(levels))
    levels[-400:] = np.nan
    later = hours("2050-01-01", 200)
    filled = fill_gaps(np.append(times, later), np.append(levels, np.full(200, np.nan)))
    spread = filled.std[-600:-200]
    assert np.corrcoef(spread, np.arange(400))[0, 1] > 0.5
    assert filled.mean[-200:] == pytest.approx(filled.tide[-200:], abs=1e-6)
    assert np.abs(filled.tide[-200:] - filled.tide[-300:-200].mean()).max() < 1.0
    assert filled.std[-200:].max() < 0.3


@few
@given(scale=st.sampled_from([1e-3, 3.3, 1000.0]), shift=st.floats(-50, 50))
def test_units_and_datum_do_not_matter(scale, shift):
    times, _, levels = record(40)
    one, other = (fill_gaps(times, x, ["K1", "M2"]) for x in (levels, scale * levels + shift))
    assert other.mean == pytest.approx(scale * one.mean + shift, abs=1e-6 * scale)
    assert other.std == pytest.approx(scale * one.std, rel=1e-5)


def test_covariance_of_the_weather_is_even_and_falls():
    times, _, levels = record(40)
    weather = fill_gaps(times, levels, ["K1", "M2"]).weather
    lags = np.array([0.0, 1.0, 30.0, 500.0])
    covariance = weather.covariance(lags)
    assert covariance[0] == pytest.approx((weather.table["std"] ** 2).sum())
    assert (np.abs(covariance[1:]) < covariance[0]).all()
    assert weather.covariance(-lags) == pytest.approx(covariance)
    assert float(weather.covariance(30)) == pytest.approx(covariance[2])


def test_a_record_without_noise_or_without_gaps_is_filled():
    times = hours("2020-01-01", 24 * 40)
    levels = predict({"M2": (1, 0)}, times)
    assert fill_gaps(times, levels, ["M2"]).mean == pytest.approx(levels, abs=1e-6)
    levels[100:200] = np.nan
    filled = fill_gaps(times, levels, ["M2"])
    assert filled.mean == pytest.approx(predict({"M2": (1, 0)}, times), abs=1e-6)


# Hostile input

TIMES = hours("2020-01-01", 500)
LEVELS = np.random.default_rng(0).normal(size=500)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: predict(HONOLULU, [1, 2]), TypeError, "times must be datetime64"),
        (lambda: predict(HONOLULU, ["2020-01-01"]), TypeError, "times must be datetime64"),
        (lambda: predict(HONOLULU, TIMES.reshape(2, 250)), ValueError, "one dimension"),
        (
            lambda: predict(HONOLULU, np.append(TIMES, np.datetime64("NaT", "ns"))),
            ValueError,
            "NaT",
        ),
        (
            lambda: predict(HONOLULU, pd.DatetimeIndex(TIMES, tz="Pacific/Honolulu")),
            TypeError,
            "UTC without a time zone, got Pacific/Honolulu",
        ),
        (
            lambda: predict(HONOLULU, pd.Series(TIMES).dt.tz_localize("UTC")),
            TypeError,
            "without a time zone",
        ),
        (lambda: predict(HONOLULU, pd.Timestamp("2020", tz="UTC")), TypeError, "time zone"),
        (
            lambda: predict(HONOLULU, TIMES.astype("M8[s]") - np.timedelta64(2 * 10**10, "s")),
            ValueError,
            "1700 to 2200",
        ),
        (lambda: predict("nowhere", TIMES), ValueError, "'nowhere'; known: .*9414290"),
        (lambda: predict({"M99": (1, 0)}, TIMES), ValueError, r"unknown \['M99'\]"),
        (lambda: predict({"M2": (-1, 0)}, TIMES), ValueError, "not negative"),
        (lambda: predict({"M2": (1, np.nan)}, TIMES), ValueError, "finite"),
        (lambda: predict({"LAM2": (1, 0), "LDA2": (1, 0)}, TIMES), ValueError, "must differ"),
        (lambda: predict(3, TIMES), TypeError, "constants must be a DataFrame"),
        (lambda: predict(pd.DataFrame({"x": [1]}), TIMES), ValueError, "columns"),
        (lambda: predict(HONOLULU, TIMES, "MLLW"), TypeError, "mean must be a number"),
        (lambda: predict(HONOLULU, TIMES, np.inf), ValueError, "mean must be finite"),
        (lambda: arguments(TIMES, "M2"), TypeError, "sequence of names"),
        (lambda: rayleigh_select(0), ValueError, "hours must be above 0"),
        (lambda: rayleigh_select("year"), TypeError, "hours must be a number"),
        (lambda: rayleigh_select(10, True), TypeError, "rayleigh must be a number"),
        (lambda: fit(TIMES, LEVELS[1:]), ValueError, r"shape \(500,\) of times, got \(499,\)"),
        (lambda: fit(TIMES, LEVELS.astype(str)), TypeError, "levels must hold real numbers"),
        (lambda: fit(TIMES, LEVELS * np.inf), ValueError, "infinite"),
        (lambda: fit(TIMES, LEVELS * np.nan), ValueError, "two times at least, got 0"),
        (lambda: fit(TIMES[:1], LEVELS[:1]), ValueError, "two times at least, got 1"),
        (lambda: fit(TIMES[:5], LEVELS[:5], ["M2", "K1"]), ValueError, "more than the 6"),
        (lambda: fit(TIMES, LEVELS, "all"), ValueError, "constituents must be 'auto'"),
        (lambda: fit(TIMES, LEVELS, ["M2", "Z9"]), ValueError, "Z9"),
        (lambda: fit(TIMES, LEVELS, method="lasso"), ValueError, "method must be"),
        (lambda: fit(TIMES, LEVELS, rayleigh=-1), ValueError, "rayleigh must be above 0"),
        (lambda: fit(TIMES, LEVELS, min_snr=None), TypeError, "min_snr must be a number"),
        (lambda: fit(TIMES, LEVELS).predict(TIMES, "up"), ValueError, "trend must be"),
        (lambda: fill_gaps(TIMES[::-1], LEVELS), ValueError, "times must increase"),
        (lambda: fill_gaps(TIMES.repeat(2)[:500], LEVELS), ValueError, "times must increase"),
        (lambda: fill_gaps(TIMES, LEVELS * np.nan), ValueError, "two times at least"),
    ],
)
def test_bad_input_is_refused_with_what_is_allowed(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_what_does_not_fit_into_memory_is_refused(monkeypatch):
    monkeypatch.setattr(runproof.validation, "available_memory", lambda: 10**8)
    with pytest.raises(MemoryError, match="Filling 500 samples would take about"):
        fill_gaps(TIMES, LEVELS)
    burst = hours("2020-01-01", 499, "s")
    with pytest.raises(MemoryError, match="spectrum of the residual"):
        fit(np.append(burst, np.datetime64("2200-01-01", "ns")), LEVELS, ["MF"])
