"""Opening a data set that a user has obtained: a folder, or an archive of one."""

import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from analytics.errors import AnalyticsError


class DatasetError(AnalyticsError):
    """The data set is not there, not whole, or not in the form that its publisher describes."""


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The data set as a folder; an archive (.tar, .tar.gz, .tar.xz …) is unpacked for as long as it is open.

    Raises:
        DatasetError: there is nothing at `path`, or it is neither.
    """
    if path.is_dir():
        yield path
        return
    if not path.is_file():
        raise DatasetError(f"There is no data set at {path}: give the folder of an extracted copy.")
    with tempfile.TemporaryDirectory(prefix="anshou-evaluate-") as folder:
        try:
            with tarfile.open(path) as archive:
                _unpack(archive, Path(folder))
        except (tarfile.TarError, OSError, EOFError) as error:
            raise DatasetError(f"{path} is neither a folder nor a readable tar archive: {error}") from error
        yield Path(folder)


def _unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Only plain files, and none outside `folder`: extraction filters are newer than Debian 12's Python."""
    root = folder.resolve()
    for member in archive:
        if not member.isfile():
            continue
        target = (root / member.name).resolve()
        if not target.is_relative_to(root):
            raise DatasetError(f"The archive holds {member.name!r}, which leads out of its folder.")
        source = archive.extractfile(member)
        assert source is not None, "a plain file has content"
        target.parent.mkdir(parents=True, exist_ok=True)
        with source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)


def root_with(folder: Path, name: str) -> Path:
    """The folder that holds `name`: this one, or the only one inside it.

    Raises:
        DatasetError: neither does.
    """
    inside = [child for child in folder.iterdir() if child.is_dir()]
    for candidate in (folder, *(inside if len(inside) == 1 else [])):
        if (candidate / name).exists():
            return candidate
    raise DatasetError(f"{folder} holds no {name}: is this the right data set?")


def read_csv(
    path: Path, *, texts: Sequence[str] = (), times: Sequence[str] = (), numbers: Sequence[str] = ()
) -> pd.DataFrame:
    """The named columns of a CSV file; further ones are left out.

    Raises:
        DatasetError: the file or a column is missing, or a value is empty or not of its type; the first such
            line is named.
    """
    if not path.is_file():
        raise DatasetError(f"{path} is missing.")
    columns = [*texts, *times, *numbers]
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DatasetError(f"{path} is not readable as CSV: {error}") from error
    absent = [name for name in columns if name not in raw]
    if absent:
        raise DatasetError(f"{path} lacks the column {absent[0]}; it has {', '.join(raw.columns)}.")
    parsed: dict[str, pd.Series] = {name: raw[name] for name in texts}
    for name in times:
        parsed[name] = pd.to_datetime(raw[name], format="ISO8601", errors="coerce")
    for name in numbers:
        parsed[name] = pd.to_numeric(raw[name], errors="coerce")
    for name, values in parsed.items():
        wrong = (values.isna() | (raw[name] == "")).to_numpy()
        if wrong.any():
            line = int(wrong.argmax())
            raise DatasetError(f"{path}, line {line + 2}: {name} is {raw[name].iloc[line]!r}.")
    return pd.DataFrame(parsed)[columns]


def recode(frame: pd.DataFrame, column: str, known: Mapping[str, str], path: Path) -> pd.DataFrame:
    """The rows whose `column` is one of `known`, renamed so.

    Raises:
        DatasetError: none is: the file speaks of other things than its publisher describes.
    """
    names = frame[column].map(known)
    if len(frame) and not names.notna().any():
        found = ", ".join(sorted(frame[column].unique())[:5])
        raise DatasetError(f"{path}: {column} is never one of {', '.join(known)}, but {found}.")
    return frame.assign(**{column: names})[names.notna()].reset_index(drop=True)
