"""Ocean tides: astronomy, prediction and harmonic analysis.

::

    predict(constants, times)           the tide of a station from its constants
    fit(times, levels)                  harmonic constants with confidence intervals
    fill_gaps(times, levels)            the expected level in gaps, with its deviation
    arguments(times, constituents)      V, u and f of every constituent, exact at each time
    rayleigh_select(hours)              the constituents that a record tells apart
    load_water_levels(station, begin, end)      measured levels of a gauge, from NOAA
"""

from runproof.tides.astronomy import CONSTITUENTS, Arguments, arguments, rayleigh_select
from runproof.tides.gaps import FilledSeries, Weather, fill_gaps
from runproof.tides.harmonic import TidalFit, fit, predict
from runproof.tides.stations import WaterLevelError, load_water_levels

__all__ = [
    "CONSTITUENTS",
    "Arguments",
    "FilledSeries",
    "TidalFit",
    "WaterLevelError",
    "Weather",
    "arguments",
    "fill_gaps",
    "fit",
    "load_water_levels",
    "predict",
    "rayleigh_select",
]
