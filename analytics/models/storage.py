"""A model as bytes and back: a NumPy archive of plain numbers and texts, never pickle.

Whoever can write the bytes can change what a model says, but cannot make the reader run anything.
"""

import dataclasses
import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

import numpy as np
import numpy.typing as npt

from analytics.errors import AnalyticsError

_KIND = "kind"
_Model = TypeVar("_Model")
# A flag flipped in the archive asks for passwords (RuntimeError) or unknown methods (NotImplementedError).
_DAMAGED = (ValueError, OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)


class ModelFormatError(AnalyticsError):
    """The bytes are not a model of the kind that was asked for."""


def dump(model: Any) -> bytes:
    """The model, a dataclass of floats, ints, tuples of texts, arrays and further such dataclasses."""
    buffer = io.BytesIO()
    fields: dict[str, Any] = {_KIND: np.asarray(type(model).__name__), **_flat(model, "")}
    np.savez_compressed(buffer, allow_pickle=False, **fields)
    return buffer.getvalue()


def load(kind: type[_Model], data: bytes) -> _Model:
    """The model of this kind that `dump` wrote.

    Raises:
        ModelFormatError: the bytes are damaged, of another kind, or of another version of this kind.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            fields = {name: archive[name] for name in archive.files}
    except _DAMAGED as error:
        raise ModelFormatError(f"these {len(data)} bytes are no stored model: {error}") from error
    stored = str(fields.pop(_KIND, ""))
    if stored != kind.__name__:
        raise ModelFormatError(f"this is a stored {stored or 'archive'}, not a {kind.__name__}")
    model = _build(kind, fields, "")
    if fields:
        raise ModelFormatError(f"a stored {stored} has unknown fields: {', '.join(sorted(fields))}")
    return model


def _flat(model: Any, prefix: str) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {}
    for field in dataclasses.fields(model):
        value, name = getattr(model, field.name), prefix + field.name
        if dataclasses.is_dataclass(value):
            arrays |= _flat(value, f"{name}.")
        else:
            arrays[name] = np.asarray(value, np.str_ if isinstance(value, tuple) else None)
    return arrays


def _build(kind: type[_Model], fields: dict[str, npt.NDArray[Any]], prefix: str) -> _Model:
    hints: Mapping[str, Any] = get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        hint, name = hints[field.name], prefix + field.name
        if dataclasses.is_dataclass(hint):
            values[field.name] = _build(hint, fields, f"{name}.")  # type: ignore[arg-type]
            continue
        if name not in fields:
            raise ModelFormatError(f"a stored {kind.__name__} lacks the field {name}")
        stored = fields.pop(name)
        if hint in (float, int):
            values[field.name] = hint(stored)
        elif hint == tuple[str, ...]:
            values[field.name] = tuple(str(text) for text in stored)
        else:
            values[field.name] = stored
    return kind(**values)
