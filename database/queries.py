"""Queries live in `.sql` files, each under a name.

What is the same for every vital sign is written once, with `$` for the sign: `{each sign: min($_min)}` is a
list, `{any sign: $ IS NOT NULL}` is true where it is for one of them. `protocol.signs.SIGNS` gives the order.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import LiteralString, cast

from psycopg import sql

from protocol.signs import SIGNS

_QUERY_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_FOR_SIGNS = re.compile(r"\{(each|any) sign: ([^{}]+)\}")


@cache
def queries(package: str, file: str) -> Mapping[str, sql.SQL]:
    """The named queries of a `.sql` file: each starts with a line `-- name: its_name`.

    Args:
        package: the package that holds the file, such as "care".
        file: its path in that package, such as "sql/registry.sql".
    """
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    pieces = _QUERY_NAME.split(with_signs(text))[1:]
    return {
        name: sql.SQL(cast("LiteralString", body.strip()))
        for name, body in zip(pieces[::2], pieces[1::2], strict=True)
    }


def with_signs(text: str) -> str:
    """The text with what it says of each sign written out."""

    def written_out(found: re.Match[str]) -> str:
        which, once = found.groups()
        written = [once.replace("$", sign) for sign in SIGNS]
        return ", ".join(written) if which == "each" else f"({' OR '.join(written)})"

    return _FOR_SIGNS.sub(written_out, text)
