"""Files that are written whole or not at all."""

import os
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(*paths):
    """Give temporary names to write to; rename them all at the end, or remove them.

    Nobody ever meets half a file, and after an error or an interruption the old files stay.

    Parameters
    ----------
    *paths : str or pathlib.Path
        The files to be written, in folders that exist.

    Yields
    ------
    list of pathlib.Path
        The temporary name of each, beside it, with its suffix.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from runproof.files import written_whole
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with written_whole(Path(folder, "a.txt")) as (part,):
    ...         _ = part.write_text("whole")
    ...     Path(folder, "a.txt").read_text()
    'whole'
    """
    paths = [Path(path) for path in paths]
    parts = [path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}") for path in paths]
    try:
        yield parts
        for path, part in zip(paths, parts, strict=True):
            os.replace(part, path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
