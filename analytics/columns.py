"""A query's result as NumPy columns, each fetched as one array: no Python object per value or row.

Only for columns of fixed width that are never null, so that each array is a run of equal items. Queries
replace nulls by NaN and -infinity (which becomes NaT). A binary COPY would give the same bytes, but in a
message for each row, and handling those took most of the time.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from psycopg import errors, sql

from analytics.errors import FetchError
from database.connections import Connection

TIME, INTEGER, REAL = "timestamptz", "int4", "float4"
_WIRE = {TIME: ">i8", INTEGER: ">i4", REAL: ">f4"}
_OIDS = {TIME: 1184, INTEGER: 23, REAL: 700}
_HEADER = np.dtype(
    [("dimensions", ">i4"), ("has_nulls", ">i4"), ("oid", ">i4"), ("length", ">i4"), ("first", ">i4")]
)
"""How PostgreSQL's binary form of an array begins. Each item follows, with its length in bytes."""
_EPOCH_US = 946_684_800_000_000
"""PostgreSQL counts microseconds from 2000-01-01 UTC; this is that time from 1970."""
_NEGATIVE_INFINITY = np.iinfo(np.int64).min


def fetch(
    connection: Connection, query: sql.SQL, params: Mapping[str, Any], columns: Mapping[str, str]
) -> pd.DataFrame:
    """The result of `query` as a frame with `columns` (name: type), in the order of the query.

    Times come as datetime64[us, UTC], integers as int64, reals as float64. PostgreSQL holds a whole column in
    its memory for it, at most some 60 million rows.

    Raises:
        FetchError: the rows are not of these types, or a value is null.
    """
    names = [sql.Identifier(name) for name in columns]
    arrays = sql.SQL("SELECT {} FROM ({}) AS asked ({})").format(
        sql.SQL(", ").join(sql.SQL("array_agg({})").format(name) for name in names),
        query,
        sql.SQL(", ").join(names),
    )
    with connection.cursor(binary=True) as cursor:
        try:
            # A plan kept for all values would not know which chunks these ones leave out.
            cursor.execute(arrays, params, prepare=False)
        except errors.InvalidColumnReference as error:
            raise FetchError(f"the query has other columns than {dict(columns)}") from error
        answer = cursor.pgresult
        assert answer is not None, "an aggregate has one row"
        raw = [answer.get_value(0, number) for number in range(len(columns))]
    return pd.DataFrame(
        {
            name: _native(_items(name, kind, array), kind)
            for array, (name, kind) in zip(raw, columns.items(), strict=True)
        }
    )


def _items(name: str, kind: str, array: bytes | None) -> np.ndarray[Any, Any]:
    """The items of an array as PostgreSQL sends it; none of an array that is null, as that of no rows is."""
    if array is None:
        return np.empty(0, _WIRE[kind])
    header = np.frombuffer(array, _HEADER, 1)[0]
    if header["oid"] != _OIDS[kind] or header["has_nulls"]:
        raise FetchError(f"column {name} is not a {kind}, or has nulls")
    item = np.dtype([("bytes", ">i4"), ("value", _WIRE[kind])])
    items: np.ndarray[Any, Any] = np.frombuffer(array, item, header["length"], _HEADER.itemsize)["value"]
    return items


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
