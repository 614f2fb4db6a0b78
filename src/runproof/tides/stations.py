"""Water levels as NOAA's tide gauges measured them, from the agency's web service.

The book needs no network, so no chapter calls this; it is for your own gauge and year.
Attribute what you load to NOAA's Center for Operational Oceanographic Products and
Services (CO-OPS). The data are in the public domain. Not for navigation.

The service is described on https://api.tidesandcurrents.noaa.gov/api/prod/.
"""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from runproof.files import written_whole
from runproof.validation import number

URL = "https://api.tidesandcurrents.noaa.gov/api/prod/datagetter"
#: Product to time between values, and longest span that the service gives at once.
PRODUCTS = {
    "hourly_height": (pd.Timedelta(hours=1), pd.Timedelta(days=365)),
    "water_level": (pd.Timedelta(minutes=6), pd.Timedelta(days=31)),
}
#: Levels are above one of these: mean lower low water, mean sea level and so on.
DATUMS = ("MLLW", "MLW", "MSL", "MTL", "MHW", "MHHW", "DTL", "NAVD", "STND", "IGLD", "LWD")

_NO_DATA = "No data was found"


class WaterLevelError(RuntimeError):
    """The service could not be reached, refused, or answered what cannot be read."""


def load_water_levels(
    station,
    begin,
    end,
    product="hourly_height",
    datum="MLLW",
    *,
    cache=None,
    timeout=30.0,
    progress=False,
    application="runproof",
    url=URL,
):
    """Load observed water levels of one station.

    Long spans are asked for piece by piece, for the service limits what it gives at once.

    Parameters
    ----------
    station : str or int
        NOAA's number of the station, seven digits; see the dataset ``tide_stations``.
    begin, end : str, datetime or numpy.datetime64
        First and last time, both included, in UTC. Times with another zone are refused.
    product : {"hourly_height", "water_level"}
        Verified heights each hour, or heights each 6 minutes, the newest of them preliminary.
    datum : str
        What heights count from, one of ``runproof.tides.stations.DATUMS``.
    cache : path, optional
        A CSV file. If it exists it must hold this very request, and is read in place of
        asking the service; else it is written, all at once.
    timeout : float
        Seconds to wait for each answer.
    progress : bool
        Whether to show a progress bar on stderr.
    application : str
        A name by which NOAA knows who asks.
    url : str
        Address of the service.

    Returns
    -------
    pandas.DataFrame
        One row for every hour (or 6 minutes) of the span, by time in UTC, without a zone.
        Columns ``level_m`` and ``sigma_m``, in meters: the height, and the standard
        deviation of the 1 Hz readings behind it. Missing values are NaN.

    Raises
    ------
    TypeError, ValueError
        If an argument is not allowed, or the cache holds another request.
    WaterLevelError
        If the service cannot be reached, refuses, has no data at all in the span, or
        answers in a form that is not the documented one.

    Examples
    --------
    >>> load_water_levels("1612340", "2010-01-01", "2010-12-31 23:00")  # doctest: +SKIP
    """
    request = _request(station, begin, end, product, datum, application)
    timeout = number("timeout", timeout, 0, ends="()")
    if cache is not None and Path(cache).exists():
        return _read_cache(Path(cache), request)
    step, longest = PRODUCTS[product]
    times = pd.date_range(request["begin"], request["end"], freq=step, name="time")
    pieces = [
        _ask(url, request, first, last, timeout)
        for first, last in tqdm(
            _spans(times, longest), disable=not progress, desc="NOAA", unit="request"
        )
    ]
    if all(piece is None for piece in pieces):
        raise WaterLevelError(
            f"NOAA has no {product} of station {request['station']} above {datum} from "
            f"{request['begin']} to {request['end']}; look the station up at "
            "https://tidesandcurrents.noaa.gov"
        )
    table = pd.concat([piece for piece in pieces if piece is not None])
    table = table[~table.index.duplicated()].reindex(times)
    if cache is not None:
        _write_cache(Path(cache), request, table)
    return table


def _request(station, begin, end, product, datum, application):
    """Check the arguments; return them as the texts that identify the request."""
    if isinstance(station, bool) or not re.fullmatch(r"\d{7}", str(station)):
        raise ValueError(f"station must be NOAA's number of seven digits, got {station!r}")
    if product not in PRODUCTS:
        raise ValueError(f"product must be one of {', '.join(PRODUCTS)}, got {product!r}")
    if datum not in DATUMS:
        raise ValueError(f"datum must be one of {', '.join(DATUMS)}, got {datum!r}")
    if not isinstance(application, str) or not application.strip():
        raise ValueError(f"application must be a name, got {application!r}")
    step, _ = PRODUCTS[product]
    begin, end = _time("begin", begin, step), _time("end", end, step)
    if begin > end:
        raise ValueError(f"begin must not be after end, got {begin} and {end}")
    return {
        "station": str(station),
        "product": product,
        "datum": datum,
        "begin": f"{begin:%Y-%m-%d %H:%M}",
        "end": f"{end:%Y-%m-%d %H:%M}",
        "application": application.strip(),
    }


def _time(name, value, step):
    try:
        time = pd.Timestamp(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a date or a time in UTC, got {value!r}") from error
    if time is pd.NaT:
        raise ValueError(f"{name} must be a date or a time in UTC, got {value!r}")
    if time.tz is not None:
        if time.utcoffset() != pd.Timedelta(0):
            raise ValueError(f"{name} must be in UTC, got {value!r}")
        time = time.tz_localize(None)
    if time != time.floor(step):
        minutes = step // pd.Timedelta(minutes=1)
        raise ValueError(f"{name} must be a multiple of {minutes} minutes, got {value!r}")
    return time


def _spans(times, longest):
    """First and last times of the pieces that the service gives at once."""
    per_piece = longest // (times[1] - times[0]) if len(times) > 1 else 1
    return [
        (times[i], times[min(i + per_piece, len(times)) - 1])
        for i in range(0, len(times), per_piece)
    ]


def _ask(url, request, first, last, timeout):
    """One answer as a table; None if the service has no data there."""
    query = {
        "station": request["station"],
        "product": request["product"],
        "datum": request["datum"],
        "begin_date": f"{first:%Y%m%d %H:%M}",
        "end_date": f"{last:%Y%m%d %H:%M}",
        "units": "metric",
        "time_zone": "gmt",
        "format": "json",
        "application": request["application"],
    }
    text = _fetch(f"{url}?{urllib.parse.urlencode(query)}", timeout)
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise WaterLevelError(f"NOAA answered no JSON but {text[:80]!r}") from error
    if isinstance(answer, dict) and "error" in answer:
        message = " ".join(str(answer["error"].get("message", answer["error"])).split())
        if message.startswith(_NO_DATA):
            return None
        raise WaterLevelError(f"NOAA refuses: {message}")
    return _table(answer, request["station"])


def _fetch(address, timeout):
    try:
        with urllib.request.urlopen(address, timeout=timeout) as response:
            return response.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        text = error.read().decode("utf-8", "replace")
        if text.lstrip().startswith('{"error"'):  # the reason for the refusal
            return text
        raise WaterLevelError(f"NOAA answers {error.code} {error.reason} to {address}") from error
    except OSError as error:  # no network, no such host, a timeout
        raise WaterLevelError(f"cannot reach {address}: {error}") from error


def _table(answer, station):
    """Rows {"t": time, "v": height, "s": deviation, ...} as a table; "" is missing."""
    try:
        rows = answer["data"]
        if (found := answer["metadata"]["id"]) != station:
            raise WaterLevelError(f"asked for station {station}, NOAA sent {found}")
        times = pd.to_datetime([row["t"] for row in rows], format="%Y-%m-%d %H:%M")
        columns = {
            name: [float(row[key]) if row[key].strip() else np.nan for row in rows]
            for name, key in (("level_m", "v"), ("sigma_m", "s"))
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise WaterLevelError(f"NOAA answers in an unknown form ({error!r})") from error
    return pd.DataFrame(columns, index=pd.DatetimeIndex(times, name="time"))


def _read_cache(path, request):
    with path.open(encoding="utf-8") as lines:
        found = lines.readline().removeprefix("# ").strip()
    if found != (wanted := _header(request)):
        raise ValueError(
            f"cache {path} holds another request\n  wanted {wanted}\n  found  {found}\n"
            "choose another file, or delete this one"
        )
    return pd.read_csv(path, comment="#", index_col="time", parse_dates=["time"])


def _write_cache(path, request, table):
    with written_whole(path) as (part,), part.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# {_header(request)}\n")
        table.to_csv(file, date_format="%Y-%m-%d %H:%M", lineterminator="\n")


def _header(request):
    keys = ("station", "product", "datum", "begin", "end")
    return "NOAA CO-OPS, UTC, meters: " + ", ".join(f"{key} {request[key]}" for key in keys)
