"""Make the tables of this folder from Debian's packages ``xtide-data`` and ``tcd-utils``.

    apt-get install xtide-data tcd-utils
    restore_tide_db /usr/share/xtide/harmonics-dwf-20191229-free.tcd harmonics
    python make.py harmonics.txt

The text that ``restore_tide_db`` writes has four parts: speeds of the constituents, their
equilibrium arguments year by year, their node factors year by year, and the stations.
"""

from __future__ import annotations

import argparse
import hashlib
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

FOOT = 0.3048  # meters, exactly
YEARS = range(1990, 2041)
FILES = ("stations.csv", "constituents.csv", "speeds.csv", "equilibrium.csv")
#: Files that are kept as they were recorded, and the one that `make_utide.py` makes.
RECORDED = ("observed.csv", "predictions.csv", "utide.csv")
#: Courtier's kinds of tide, and the form numbers (K1 + O1) / (M2 + S2) between them.
KINDS = ("semidiurnal", "mixed, mainly semidiurnal", "mixed, mainly diurnal", "diurnal")
LIMITS = (0.25, 1.5, 3.0)

#: Gauges of NOAA's permanent network, along the coast from Maine to the Caribbean, then up
#: the Pacific coast to the Arctic, then the islands.
STATIONS = """
    8410140 8413320 8418150 8443970 8447930 8449130 8452660 8454000 8461490 8467150 8510560
    8516945 8518750 8531680 8534720 8536110 8545240 8551910 8557380 8570283 8574680 8575512
    8577330 8594900 8631044 8632200 8638610 8638863 8651370 8656483 8658120 8661070 8665530
    8670870 8720030 8720220 8721604 8722670 8723214 8723970 8724580 8725110 8725520 8726520
    8726724 8727520 8728690 8729108 8729840 8735180 8745557 8747437 8760922 8761724 8761927
    8764227 8768094 8770570 8771450 8772447 8774770 8775870 8779770
    9751401 9751639 9755371 9759110
    9410170 9410230 9410660 9410840 9411340 9412110 9413450 9414290 9414523 9414750 9415020
    9415144 9416841 9418767 9419750 9431647 9432780 9435380 9437540 9439040 9440910 9441102
    9442396 9443090 9444090 9444900 9446484 9447130 9449424 9449880
    9450460 9451600 9452210 9452400 9453220 9454050 9454240 9455090 9455500 9455760 9455920
    9457292 9459450 9459881 9461380 9461710 9462620 9463502 9464212 9465374 9468333 9468756
    9491094 9497645
    1611400 1612340 1612480 1615680 1617760 1619910 1630000 1770000 1820000 1890000
"""


def main(text: Path, folder: Path) -> None:
    lines = iter(text.read_text(encoding="latin-1").split("\n"))
    speeds = read_speeds(lines)
    first = int(next(content(lines)))
    arguments = read_table(lines, list(speeds), first)
    factors = read_table(lines, list(speeds), first)
    found = {s["station_id"]: s for s in read_stations(lines, list(speeds))}
    chosen = [found[station] for station in STATIONS.split()]

    stations = pd.DataFrame([describe(station) for station in chosen])
    constituents = pd.DataFrame(
        [
            (station["station_id"], name, round(amplitude * FOOT, 4), phase)
            for station in chosen
            for name, (amplitude, phase) in station["constants"].items()
        ],
        columns=["id", "constituent", "amplitude_m", "phase_deg"],
    )
    used = [name for name in speeds if name in set(constituents["constituent"])]
    equilibrium = pd.DataFrame(
        [(n, year, arguments[n][year], factors[n][year]) for n in used for year in YEARS],
        columns=["constituent", "year", "argument_deg", "node_factor"],
    )
    speed = pd.DataFrame({"constituent": used, "speed_deg_per_h": [speeds[n] for n in used]})
    tables = (stations, constituents, speed, equilibrium)
    for name, table in zip(FILES, tables, strict=True):
        table.to_csv(folder / name, index=False, lineterminator="\n")
    names = FILES + RECORDED
    digests = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names]
    sums = [f"{digest}  {name}\n" for digest, name in zip(digests, names, strict=True)]
    (folder / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


def content(lines: Iterator[str]) -> Iterator[str]:
    """Pass over comments and blank lines."""
    return (line for line in lines if line.strip() and not line.startswith("#"))


def read_speeds(lines: Iterator[str]) -> dict[str, float]:
    """Speed of every constituent, in degrees per hour."""
    lines = content(lines)
    rows = (next(lines).split() for _ in range(int(next(lines))))
    return {name: float(speed) for name, speed in rows}


def read_table(lines: Iterator[str], names: list[str], first: int) -> dict[str, dict[int, float]]:
    """One of the yearly tables, which begin with the year `first`: constituent to year to value."""
    lines = content(lines)
    years = range(first, first + int(next(lines)))
    table = {}
    for name in names:
        if (found := next(lines)) != name:
            raise ValueError(f"expected constituent {name!r}, found {found!r}")
        values: list[float] = []
        while len(values) < len(years):
            values += map(float, next(lines).split())
        table[name] = dict(zip(years, values, strict=True))
    if (end := next(lines)) != "*END*":
        raise ValueError(f"expected the end of a yearly table, found {end!r}")
    return table


def read_stations(lines: Iterator[str], names: list[str]) -> Iterator[dict]:
    """Every tide station, in meters; current stations, in knots, are left out."""
    facts: dict[str, str] = {}
    for line in lines:
        if line.startswith("#"):
            key, colon, value = line.lstrip("#! ").partition(": ")
            facts |= {key: value} if colon else {}
        elif line.strip():
            zone, level = next(lines), next(lines)
            rows = [next(lines).split() for _ in names]
            height, unit = level.split()
            if unit == "feet":
                yield station(line, zone, float(height), facts, zip(names, rows, strict=True))
            facts = {}


def station(name, zone, height, facts, rows):
    """One station; refuse what would change the meaning of the columns."""
    if facts["restriction"] != "Public domain" or facts["source"] != "CO-OPS Metadata API":
        raise ValueError(f"{name}: not public domain, or not from CO-OPS")
    if not zone.startswith("+00:00 "):
        raise ValueError(f"{name}: phases are not Greenwich phases but for zone {zone}")
    constants = {}
    for constituent, row in rows:
        if row[0] != "x":  # a constituent that the station does not have
            constants[constituent] = float(row[1]), float(row[2])
    return {"name": name, "height": height, "constants": constants} | facts


def describe(station):
    """A row of ``stations.csv``."""
    amplitude = {name: a for name, (a, _) in station["constants"].items()}
    # NOAA leaves out what it found to be nothing, such as S2 at Rockport in Texas.
    semidiurnal = amplitude["M2"] + amplitude.get("S2", 0.0)
    form = (amplitude["K1"] + amplitude["O1"]) / semidiurnal
    return {
        "id": station["station_id"],
        "name": station["name"],
        "latitude_deg": float(station["latitude"]),
        "longitude_deg": float(station["longitude"]),
        "datum": {"Mean Lower Low Water": "MLLW"}[station["datum"]],
        "datum_offset_m": round(station["height"] * FOOT, 3),
        "constituents": len(amplitude),
        "form_number": round(form, 3),
        "kind": KINDS[bisect_right(LIMITS, form)],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, help="what restore_tide_db wrote")
    main(parser.parse_args().text, Path(__file__).parent)
