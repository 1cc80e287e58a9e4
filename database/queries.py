"""Queries live in `.sql` files, each under a name."""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import LiteralString, cast

from psycopg import sql

_QUERY_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries(package: str, file: str) -> Mapping[str, sql.SQL]:
    """The named queries of a `.sql` file: each starts with a line `-- name: its_name`.

    Args:
        package: the package that holds the file, such as "care".
        file: its path in that package, such as "sql/registry.sql".
    """
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    pieces = _QUERY_NAME.split(text)[1:]
    return {
        name: sql.SQL(cast("LiteralString", body.strip()))
        for name, body in zip(pieces[::2], pieces[1::2], strict=True)
    }
