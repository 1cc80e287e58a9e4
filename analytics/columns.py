"""A query's result as NumPy columns, by binary COPY: no Python object per value.

Only for columns of fixed width that are never null, so that each row has the same length in bytes and the
whole answer is one array. Queries replace nulls by NaN and -infinity (which becomes NaT).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from psycopg import sql

from analytics.errors import FetchError
from care.db import Connection

TIME, INTEGER, REAL = "timestamptz", "int4", "float4"
_WIRE = {TIME: ">i8", INTEGER: ">i4", REAL: ">f4"}
_HEADER_BYTES = 19
_TRAILER_BYTES = 2
_EPOCH_US = 946_684_800_000_000
"""PostgreSQL counts microseconds from 2000-01-01 UTC; this is that time from 1970."""
_NEGATIVE_INFINITY = np.iinfo(np.int64).min


def fetch(
    connection: Connection, query: sql.SQL, params: Mapping[str, Any], columns: Mapping[str, str]
) -> pd.DataFrame:
    """The result of `query` as a frame with `columns` (name: type), in the order of the query.

    Times come as datetime64[us, UTC], integers as int64, reals as float64.

    Raises:
        FetchError: the rows are not of these types, or a value is null.
    """
    copy = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(query)
    with connection.cursor() as cursor, cursor.copy(copy, params) as answer:
        data = b"".join(bytes(block) for block in answer)
    fields: list[tuple[str, str]] = [("field_count", ">i2")]
    for name, kind in columns.items():
        fields += [(f"{name}.bytes", ">i4"), (name, _WIRE[kind])]
    row = np.dtype(fields)
    body_bytes = len(data) - _HEADER_BYTES - _TRAILER_BYTES
    if body_bytes % row.itemsize:
        raise FetchError(f"{body_bytes} bytes are no whole number of rows with columns {dict(columns)}")
    rows = np.frombuffer(data, row, body_bytes // row.itemsize, _HEADER_BYTES)
    if not (rows["field_count"] == len(columns)).all():
        raise FetchError(f"the query has other columns than {dict(columns)}")
    for name, kind in columns.items():
        if not (rows[f"{name}.bytes"] == np.dtype(_WIRE[kind]).itemsize).all():
            raise FetchError(f"column {name} is not a {kind}, or has nulls")
    return pd.DataFrame({name: _native(rows[name], kind) for name, kind in columns.items()})


def datetimes(column: "pd.Series[Any]") -> list[datetime]:
    """A column of times without NaT as aware datetimes."""
    return list(pd.DatetimeIndex(column).to_pydatetime())


def _native(raw: np.ndarray[Any, Any], kind: str) -> Any:
    if kind == TIME:
        since_2000_us = raw.astype(np.int64)
        absent = since_2000_us == _NEGATIVE_INFINITY
        times = np.where(absent, _NEGATIVE_INFINITY, since_2000_us + np.where(absent, 0, _EPOCH_US))
        return pd.DatetimeIndex(times.view("datetime64[us]")).tz_localize("UTC")
    return raw.astype(np.float64 if kind == REAL else np.int64)
