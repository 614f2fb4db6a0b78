"""Files are written whole or not at all, one of them or several."""

import pytest

from runproof.files import written_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_half(error, *paths):
    """Write the first of some files, then fail."""
    with written_whole(*paths) as parts:
        parts[0].write_text("half", encoding="utf-8")
        raise error


def test_a_file_is_there_when_all_is_written(tmp_path):
    path = tmp_path / "a.csv"
    with written_whole(path) as (part,):
        part.write_text("half", encoding="utf-8")
        assert not path.exists()
        assert part.suffix == ".csv"
        assert part.parent == tmp_path
    assert path.read_text(encoding="utf-8") == "half"
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
def test_after_an_error_the_old_file_stays(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(error):
        write_half(error, path)
    assert path.read_text(encoding="utf-8") == "old"
    assert names(tmp_path) == ["a.txt"]


def test_several_files_or_none(tmp_path):
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    with pytest.raises(OSError, match="disk full"):
        write_half(OSError("disk full"), *paths)
    assert names(tmp_path) == []
    with written_whole(*paths) as parts:
        for part in parts:
            part.write_text(part.name, encoding="utf-8")
    assert names(tmp_path) == ["a.txt", "b.txt"]


def test_a_folder_that_is_missing_is_told(tmp_path):
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "no" / "a.txt") as (part,):
        part.write_text("x", encoding="utf-8")
