"""The tide's clock: lines of the tide-raising force, their arguments and nodal factors.

Every line turns with a whole combination of five angles: the lunar day tau, the mean
longitudes of Moon (s) and Sun (h), of the Moon's perigee (p) and of the Sun's (p1). The Moon's
node N is slow, and comes in through a factor f and a phase u of each lunar line. Angles and
formulas are Schureman's, with which NOAA's harmonic constants are defined.
"""

import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from runproof.validation import number

__all__ = ["CONSTITUENTS", "Arguments", "arguments", "rayleigh_select"]

EPOCH = -2209032000.0  # Greenwich mean noon of 31 December 1899, in seconds from 1970
CENTURY = 36525 * 86400.0  # seconds

# Schureman's Table 1: seconds of arc at the epoch, per century, per century^2 and ^3. Whole
# turns are separate so that no digits are lost in them.
TURN = 1296000.0
ANGLES = np.array(
    [
        [973574.72, 1336 * TURN + 1108411.20, 9.09, 0.0068],  # s
        [1006908.04, 129602768.13, 1.089, 0.0],  # h
        [1203580.87, 11 * TURN + 392515.94, -37.24, -0.045],  # p
        [933057.12, -5 * TURN - 482912.63, 7.58, 0.008],  # N
        [1012395.00, 6189.03, 1.63, 0.012],  # p1
    ]
)

OBLIQUITY, INCLINATION = np.deg2rad([23.45228, 5.14538])  # of the ecliptic, of the Moon's orbit

# Lines of the force. Columns: multiples of tau, s, h, p, p1; degrees added; whose f and u it
# has; and how strong its equilibrium tide is (M2 = 0.9081), for the order of importance. SA and
# S1 are made by weather, and ranked higher than that. Small lines for which Schureman has no
# f and u (ALP1, BET1, OQ2, EPS2, GAM2, H1, H2) have those of the nearest large one.
FORCED = """
SA    0  0  1  0  0    0  -   0.0800
SSA   0  0  2  0  0    0  -   0.0729
MSM   0  1 -2  1  0    0  MM  0.0158
MM    0  1  0 -1  0    0  MM  0.0825
MSF   0  2 -2  0  0    0  -M2 0.0137
MF    0  2  0  0  0    0  MF  0.1564
ALP1  1 -4  2  1  0  -90  O1  0.0028
2Q1   1 -3  0  2  0  -90  O1  0.0096
SIG1  1 -3  2  0  0  -90  O1  0.0115
Q1    1 -2  0  1  0  -90  O1  0.0722
RHO   1 -2  2 -1  0  -90  O1  0.0137
O1    1 -1  0  0  0  -90  O1  0.3769
TAU1  1 -1  2  0  0   90  J1  0.0049
BET1  1  0 -2  1  0   90  O1  0.0028
M1    1  0  0  1  0   90  M1  0.0296
CHI1  1  0  2 -1  0   90  J1  0.0057
PI1   1  1 -3  0  1  -90  -   0.0103
P1    1  1 -2  0  0  -90  -   0.1758
S1    1  1 -1  0  0  180  -   0.0150
K1    1  1  0  0  0   90  K1  0.5305
PSI1  1  1  1  0 -1   90  -   0.0042
PHI1  1  1  2  0  0   90  -   0.0075
THE1  1  2 -2  1  0   90  J1  0.0057
J1    1  2  0 -1  0   90  J1  0.0296
SO1   1  3 -2  0  0   90  J1  0.0049
OO1   1  3  0  0  0   90  OO1 0.0162
UPS1  1  4  0 -1  0   90  OO1 0.0031
OQ2   2 -3  0  3  0    0  M2  0.0026
EPS2  2 -3  2  1  0    0  M2  0.0067
2N2   2 -2  0  2  0    0  M2  0.0230
MU2   2 -2  2  0  0    0  M2  0.0278
N2    2 -1  0  1  0    0  M2  0.1739
NU2   2 -1  2 -1  0    0  M2  0.0330
GAM2  2  0 -2  2  0  180  M2  0.0027
H1    2  0 -1  0  1  180  M2  0.0031
M2    2  0  0  0  0    0  M2  0.9081
H2    2  0  1  0 -1    0  M2  0.0028
LAM2  2  1 -2  1  0  180  M2  0.0067
L2    2  1  0 -1  0  180  L2  0.0257
T2    2  2 -3  0  1    0  -   0.0248
S2    2  2 -2  0  0    0  -   0.4236
R2    2  2 -1  0 -1  180  -   0.0035
K2    2  2  0  0  0    0  K2  0.1151
ETA2  2  3  0 -1  0    0  KJ2 0.0064
KJ2-IHO 2 3 0 -1 0  180  KJ2 0
M3    3  0  0  0  0  180  M3  0.0119
"""

# Lines that shallow water makes of others, by their sum, in order of importance. f is the
# product of the parts' f, each to the number of times it occurs; u is the sum of their u.
COMPOUND = """
M4=2M2 MS4=M2+S2 MN4=M2+N2 M6=3M2 2MS6=2M2+S2 2MN6=2M2+N2 2SM2=2S2-M2 MK3=M2+K1 2MK3=2M2-K1
S4=2S2 MK4=M2+K2 M8=4M2 SN4=S2+N2 SK3=S2+K1 SO3=S2+O1 MSN2=M2+S2-N2 2SM6=2S2+M2 MKS2=M2+K2-S2
S6=3S2 2MK5=2M2+K1 2MO5=2M2+O1 MSK5=M2+S2+K1 2SK5=2S2+K1 3MK7=3M2+K1 MSN6=M2+S2+N2 2MK6=2M2+K2
MSK6=M2+S2+K2 SK4=S2+K2 3MS8=3M2+S2 3MN8=3M2+N2 2(MS)8=2M2+2S2 NO3=N2+O1 SP3=S2+P1
2NM6=2N2+M2 MNK5=M2+N2+K1 2SN2=2S2-N2 2NS2=2N2-S2 3MS4=3M2-S2 N4=2N2 2MP5=2M2+P1 2MSN8=2M2+S2+N2
3MK8=3M2+K2 2MNO7=2M2+N2+O1 2MSO7=2M2+S2+O1 M10=5M2 4MS10=4M2+S2 3MNS10=3M2+N2+S2 SKM2=S2+K2-M2
2MSK8=2M2+S2+K2 S3=3S1 M12=6M2 5MS12=5M2+S2
"""

# More of these, which NOAA publishes for Anchorage: for prediction, not chosen by themselves.
RARE = """
MNS2=M2+N2-S2 OP2=O1+P1 KP1=K2-P1 TK1=T2-K1 2PO1=2P1-O1 MLN2S2=M2+L2+N2-2S2 2ML2S2=2M2+L2-2S2
2MS2K2=2M2+S2-2K2 MKL2S2=M2+K2+L2-2S2 M2(KS)2=M2+2K2-2S2 2KM(SN)2=2K2+M2-S2-N2 2MLS4=2M2+L2-S2
ML4=M2+L2 SL4=S2+L2 MNO5=M2+N2+O1 3MP5=3M2-P1 2NMLS6=2N2+M2+L2-S2 MSL6=M2+S2+L2 2ML6=2M2+L2
2MNLS6=2M2+N2+L2-S2 3MLS6=3M2+L2-S2 2NMK7=2N2+M2+K1 MSKO7=M2+S2+K2+O1 2(MN)8=2M2+2N2
2MSL8=2M2+S2+L2 4MLS8=4M2+L2-S2 3ML8=3M2+L2 2M2NK9=2M2+2N2+K1 3MNK9=3M2+N2+K1 4MK9=4M2+K1
3MSK9=3M2+S2+K1 4MN10=4M2+N2 3MSL10=3M2+S2+L2 3M2S10=3M2+2S2 4MSK11=4M2+S2+K1
4MNS12=4M2+N2+S2 4MSL12=4M2+S2+L2 4M2S12=4M2+2S2 OQ2-HORN=O1+Q1 3KM5=K1+K2+M2
"""

ALIASES = {
    "LDA2": "LAM2",
    "RHO1": "RHO",
    "MO3": "2MK3",
    "MP1": "TAU1",
    "KJ2": "ETA2",
    "KQ1": "UPS1",
}


class Arguments(NamedTuple):
    """The astronomical arguments of constituents at given times.

    Attributes
    ----------
    v : ndarray, shape (times, constituents)
        The equilibrium argument at Greenwich in degrees, 0 <= v < 360.
    u : ndarray, shape (times, constituents)
        The nodal phase in degrees, -180 < u <= 180.
    f : ndarray, shape (times, constituents)
        The node factor, near 1.
    """

    v: np.ndarray
    u: np.ndarray
    f: np.ndarray


def arguments(times, constituents):
    """Return the arguments V, u and f of constituents at given times, exact at each.

    A constituent of amplitude H and Greenwich phase lag g adds f H cos(V + u - g).

    Parameters
    ----------
    times : array_like of datetime64
        Times in UTC, without time zone.
    constituents : sequence of str
        Names of `CONSTITUENTS`.

    Returns
    -------
    Arguments

    Raises
    ------
    TypeError, ValueError
        If a time is missing or has a time zone, or a name is unknown.

    References
    ----------
    P. Schureman, Manual of Harmonic Analysis and Prediction of Tides, U.S. Coast and Geodetic
    Survey Special Publication 98 (1940): the angles are those of Table 1, the factors those
    of equations 73 to 235.
    """
    times, names = utc(times), canonical(constituents)
    z = phasors(times, names).T
    equilibrium = phasors(times, names, nodal=False).T
    turned = np.rad2deg(np.angle(equilibrium)) % 360
    return Arguments(turned, np.rad2deg(np.angle(z * equilibrium.conj())), np.abs(z))


def rayleigh_select(hours, rayleigh=0.99):
    """Return the constituents that a record of some length tells apart.

    A line is kept if it differs from the mean and from every more important line by at least
    `rayleigh` cycles in the record. Lines of the force come first, by the strength of their
    equilibrium tide, then those of shallow water.

    Parameters
    ----------
    hours : float
        The length of the record in hours.
    rayleigh : float
        The least number of cycles. The default lets 365 days separate what differs by one
        cycle in a year of 365.25.

    Returns
    -------
    list of str
        Names, by speed.

    Raises
    ------
    TypeError, ValueError
        If an argument is no positive number.
    """
    hours, rayleigh = (
        number("hours", hours, 0, ends="()"),
        number("rayleigh", rayleigh, 0, ends="()"),
    )
    order = CONSTITUENTS[CONSTITUENTS["rank"] >= 0].sort_values("rank")
    speeds = np.append(0.0, order.speed_deg_per_h)
    apart = np.abs(np.subtract.outer(speeds, speeds)) * hours / 360 >= rayleigh
    chosen = {name for k, name in enumerate(order.index, 1) if apart[k, :k].all()}
    return [name for name in CONSTITUENTS.index if name in chosen]


# The table


def _parse():
    """Return the lines of the force and those of shallow water, by name.

    Of the force: the multiples of tau, s, h, p, p1, the degrees added, the family of f and u,
    and the equilibrium amplitude. Of shallow water: how often each part is taken.
    """
    forced, compound = {}, {}
    for row in FORCED.split("\n")[1:-1]:
        name, *turns, offset, family, amplitude = row.split()
        forced[name] = np.array(turns, dtype=int), int(offset), family, float(amplitude)
    for item in (COMPOUND + RARE).split():
        name, formula = item.split("=")
        parts = re.findall(r"([-+]?)(\d?)([A-Z]\d)", formula)
        compound[name] = {part: int(f"{sign}{count or 1}") for sign, count, part in parts}
    return forced, compound


def _table():
    """Return CONSTITUENTS."""
    rows = {name: (*turns, offset, size) for name, (turns, offset, _, size) in _FORCED.items()}
    for name, parts in _COMPOUND.items():
        total = sum(count * np.array(rows[part]) for part, count in parts.items())
        rows[name] = (*total[:-1], np.nan)
    columns = ["tau", "s", "h", "p", "p1", "offset_deg", "equilibrium"]
    table = pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("constituent")
    table = table.astype(dict.fromkeys(columns[:5], int))
    table["offset_deg"] = (table.offset_deg + 180) % 360 - 180
    table.insert(0, "speed_deg_per_h", table[columns[:5]] @ RATES)
    strongest = sorted(_FORCED, key=lambda name: -_FORCED[name][3])
    rank = {name: place for place, name in enumerate([*strongest, *_COMPOUND])}
    rare = {item.split("=")[0] for item in RARE.split()}
    table["rank"] = [-1 if name in rare else rank[name] for name in rows]
    return table.sort_values("speed_deg_per_h", kind="stable")


_SECULAR = ANGLES[[0, 1, 2, 4], 1] / 3600 / (24 * 36525)  # degrees per hour of s, h, p, p1
RATES = np.array([15 + _SECULAR[1] - _SECULAR[0], *_SECULAR])
_FORCED, _COMPOUND = _parse()
#: Every constituent by speed: ``speed_deg_per_h``; the multiples of ``tau``, ``s``, ``h``, ``p``
#: and ``p1`` in its argument, and ``offset_deg``; its ``equilibrium`` amplitude (NaN for those of
#: shallow water); and its ``rank`` by importance, -1 if it is not chosen automatically.
CONSTITUENTS = _table()


def canonical(names, argument="constituents"):
    """Return names as the table has them, or raise."""
    if isinstance(names, str):
        raise TypeError(f"{argument} must be a sequence of names, got the string {names!r}")
    found = [ALIASES.get(name, name) for name in names]
    if unknown := [name for name in found if name not in CONSTITUENTS.index]:
        raise ValueError(
            f"{argument} must be names of tides.CONSTITUENTS, got the unknown {unknown}"
        )
    if len(set(found)) < len(found):
        raise ValueError(f"{argument} must differ, got {list(names)}")
    return found


# The sky


def phasors(times, names, nodal=True):
    """Return f exp(i (V + u)) of constituents at datetime64[ns] times, shape (names, times).

    Products of the phasors of the five angles make the lines of the force, and products of
    these the lines of shallow water: few sines and cosines are ever computed.
    """
    *angles, node = _angles(times)
    turns = [_powers(_cis(angle)) for angle in angles]
    factors = _node_factors(node, angles[3]) if nodal else {}
    made = {}

    def line(name):
        if name not in made:
            made[name] = forced(*_FORCED[name][:3]) if name in _FORCED else compound(name)
        return made[name]

    def forced(multiples, offset, family):
        total = np.exp(1j * np.deg2rad(offset)) * factors.get(family, 1.0)
        for power, multiple in zip(turns, multiples, strict=True):
            if multiple:
                total = total * power(multiple)
        return total

    def compound(name):
        total = 1.0
        for part, count in _COMPOUND[name].items():
            one = line(part) if count > 0 else line(part).conj()
            for _ in range(abs(count)):
                total = total * one
        return total

    result = np.empty((len(names), len(times)), dtype=complex)
    for row, name in zip(result, names, strict=True):
        row[:] = line(name)
    return result


def _powers(unit):
    """Return a function that gives whole powers of unit phasors, each computed once."""

    @lru_cache(None)
    def power(k):
        if k < 0:
            return power(-k).conj()
        return unit if k == 1 else power(k // 2) * power(k - k // 2)

    return power


def _angles(times):
    """Return tau, s, h, p, p1 and N in radians, for datetime64[ns] without gaps."""
    since = times.astype(np.int64)  # ns from 1970; from 1899 they would not fit beyond 2192
    centuries = (since / 1e9 - EPOCH) / CENTURY
    angles = [((a * centuries + b) * centuries + c) * centuries + d for d, c, b, a in ANGLES]
    s, h, p, n, p1 = (np.deg2rad(angle % TURN / 3600) for angle in angles)
    day = 86400 * 10**9
    tau = 2 * np.pi * (since % day / day) + h - s
    return tau, s, h, p, p1, n


def _node_factors(n, p):
    """Return f exp(iu) by family, from the Moon's node and perigee.

    I is the angle of the Moon's orbit with the equator; nu and xi are the right ascension of
    where they cross, and its longitude in the orbit. Schureman's arctangents are the angles
    of complex numbers, which are used as they are.
    """
    half = n / 2
    more, less = (OBLIQUITY + INCLINATION) / 2, (OBLIQUITY - INCLINATION) / 2
    rising = _unit(np.cos(more) * np.cos(half) + 1j * np.cos(less) * np.sin(half))
    falling = _unit(np.sin(more) * np.cos(half) + 1j * np.sin(less) * np.sin(half))
    nu, xi = rising * falling.conj(), _cis(n) * (rising * falling).conj()
    cos_i = np.cos(INCLINATION) * np.cos(OBLIQUITY)
    cos_i = cos_i - np.sin(INCLINATION) * np.sin(OBLIQUITY) * np.cos(n)
    square = 1 - cos_i**2  # of sin I
    sin_i = np.sqrt(square)
    cos_half, sin_half = (1 + cos_i) / 2, (1 - cos_i) / 2  # squares of cos and sin of I / 2
    double = 2 * sin_i * cos_i
    perigee = _cis(p)
    from_node = perigee * xi.conj()
    moon = xi * nu.conj()
    m2 = cos_half**2 / 0.9154 * moon**2
    o1 = sin_i * cos_half / 0.3800
    k1 = np.sqrt(0.8965 * double**2 + 0.6001 * double * nu.real + 0.1006)
    k2 = np.sqrt(19.0444 * square**2 + 2.7702 * square * (nu**2).real + 0.0981)
    m1 = o1 * np.sqrt(2.310 + 1.435 * (from_node**2).real)
    return {
        "MM": (2 / 3 - square) / 0.5021 + 0j,
        "MF": square / 0.1578 * xi.conj() ** 2,
        "O1": o1 * xi * moon,
        "K1": k1 * _unit(double * nu + 0.3347).conj(),
        "J1": double / 0.7214 * nu.conj(),
        "OO1": sin_i * sin_half / 0.0164 * (xi**2 * nu).conj(),
        "M1": m1 * _unit(from_node.real + 0.483j * from_node.imag) * moon * perigee.conj(),
        "M2": m2,
        "-M2": m2.conj(),
        "K2": k2 * _unit(square * nu**2 + 0.0727).conj(),
        "KJ2": square / 0.1565 * nu.conj() ** 2,
        "L2": m2 * (1 - 6 * sin_half / cos_half * from_node**2),
        "M3": cos_half**3 / 0.8758 * moon**3,
    }


def _unit(z):
    return z / np.sqrt(z.real**2 + z.imag**2)


def _cis(angle):
    """Return exp(i angle); cosine and sine are quicker than a complex exponential."""
    z = np.empty(angle.shape, dtype=complex)
    np.cos(angle, out=z.real)
    np.sin(angle, out=z.imag)
    return z


# Checks


def utc(times, name="times"):
    """Return times as datetime64[ns] of one dimension, or raise."""
    zone = getattr(getattr(times, "dt", times), "tz", None)
    if zone is not None:
        raise TypeError(
            f"{name} must be UTC without a time zone, got {zone}: "
            "call tz_convert('UTC').tz_localize(None) first"
        )
    array = np.asarray(times.to_datetime64() if isinstance(times, pd.Timestamp) else times)
    if array.dtype.kind != "M":
        raise TypeError(f"{name} must be datetime64, got {array.dtype}")
    array = np.atleast_1d(array)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, got shape {array.shape}")
    if np.isnat(array).any():
        raise ValueError(f"{name} must hold no missing times (NaT)")
    years = array.astype("datetime64[Y]").astype(int) + 1970
    if array.size and not (years.min() >= 1700 and years.max() <= 2200):
        raise ValueError(
            f"{name} must be in the years 1700 to 2200, got {years.min()} to {years.max()}"
        )
    return array.astype("datetime64[ns]")
