"""The schema in words: what the migrations made, read from the catalogue, as Markdown.

`docs/schema.md` is this text; a test replays all migrations and compares.
"""

from database.connections import Connection
from database.queries import queries

_sql = queries("database", "sql/schema.sql")


def describe(connection: Connection) -> str:
    """Every schema, table, view and function of ours with comments, columns, keys and who may see rows."""
    lines = [
        "# The database schema",
        "",
        "Made from the database by `anshou migrate --document docs/schema.md`; a test keeps it true.",
        "Terms: [glossary](glossary.md).",
    ]
    for schema in connection.execute(_sql["schemas"]).fetchall():
        lines += ["", f"## Schema `{schema['name']}`", "", schema["comment"] or ""]
        params = {"schema": schema["name"]}
        for relation in connection.execute(_sql["relations"], params).fetchall():
            lines += _describe_relation(connection, schema["name"], relation)
        functions = connection.execute(_sql["functions"], params).fetchall()
        if functions:
            lines += ["", "### Functions", "", "| function | returns | |", "| --- | --- | --- |"]
            lines += [f"| `{row['signature']}` | {row['returns']} | {row['comment']} |" for row in functions]
    return "\n".join(lines) + "\n"


def _describe_relation(connection: Connection, schema: str, relation: dict[str, str]) -> list[str]:
    params = {"relation": f"{schema}.{relation['name']}"}
    lines = ["", f"### {relation['kind']} `{schema}.{relation['name']}`", "", relation["comment"]]
    lines += ["", "| column | type | | |", "| --- | --- | --- | --- |"]
    for column in connection.execute(_sql["columns"], params).fetchall():
        lines.append(f"| {column['name']} | {column['type']} | {column['modifiers']} | {column['comment']} |")
    rules = connection.execute(_sql["rules"], params).fetchall()
    if rules:
        lines.append("")
    lines += [f"- {rule['kind']}: `{rule['definition']}`" for rule in rules]
    return lines
