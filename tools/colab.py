"""Colab's own list of packages, as a file of constraints."""

import re
import urllib.request

#: What the image of the day holds, published with each new one.
FREEZE = "https://raw.githubusercontent.com/googlecolab/backend-info/main/pip-freeze.txt"

PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.!+_-]*")


def constraints(url=FREEZE, timeout=60):
    """Fetch the list and keep what an index can serve.

    Parameters
    ----------
    url : str
        Where the list is.
    timeout : float
        Seconds to wait for the server.

    Returns
    -------
    str
        One line ``name==version`` for each package. Those that Colab builds itself, from a file
        or with a local version such as ``torch==2.8.0+cu126``, are left out.

    Raises
    ------
    ValueError
        If the list cannot be fetched, or does not name NumPy.
    """
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            lines = answer.read().decode("utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"cannot fetch Colab's list from {url}: {error}") from error
    kept = [line.strip() for line in lines if PIN.fullmatch(line.strip()) and "+" not in line]
    if not any(line.startswith("numpy==") for line in kept):
        raise ValueError(f"{url} is no list of packages: it does not name numpy")
    return "\n".join(kept) + "\n"
