"""The picture of the rooms in docs/architecture.md, drawn from the contracts and from the code.

`python -m tests.architecture` writes it anew; `test_architecture.py` compares.
"""

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import grimp

CHECKOUT = Path(__file__).parents[1]
DOCUMENT = CHECKOUT / "docs" / "architecture.md"
BEGIN = "<!-- rooms: made by `python -m tests.architecture` -->"
END = "<!-- end of rooms -->"
BESIDE = "beside"

Edge = tuple[str, str]
"""Who imports, and what is imported."""


@dataclass(frozen=True, kw_only=True)
class House:
    """The rooms, what the contracts say of them, and what their code does.

    Attributes:
        rooms: All rooms, the lowest first.
        floors: The floor of each room of the first contract with layers, 1 at the bottom; the other rooms
            stand beside them.
        forbidden: Which room may not import which.
        imports: Which room imports which.
        kept_out: Packages of others that a room may not import, by room.
    """

    rooms: tuple[str, ...]
    floors: dict[str, int]
    forbidden: frozenset[Edge]
    imports: frozenset[Edge]
    kept_out: dict[str, tuple[str, ...]]

    def undecided(self) -> list[Edge]:
        """Pairs of rooms that no contract says anything about: either could import the other."""
        return [
            (one, other)
            for one, other in combinations(self.rooms, 2)
            if not {(one, other), (other, one)} & self.forbidden
        ]


def read_house(checkout: Path = CHECKOUT) -> House:
    """The house as pyproject.toml and the code have it now."""
    settings = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]
    rooms = tuple(settings["root_packages"])
    contracts = settings["contracts"]
    forbidden: set[Edge] = set()
    floors: dict[str, int] = {}
    kept_out: dict[str, tuple[str, ...]] = {}
    for contract in contracts:
        if contract["type"] == "layers":
            layers = [[room.strip() for room in layer.split("|")] for layer in reversed(contract["layers"])]
            forbidden.update(_kept_apart(layers))
            floors = floors or {room: number for number, layer in enumerate(layers, 1) for room in layer}
        elif contract["type"] == "forbidden":
            for room in contract["source_modules"]:
                forbidden.update((room, other) for other in contract["forbidden_modules"] if other in rooms)
                foreign = tuple(other for other in contract["forbidden_modules"] if other not in rooms)
                if foreign:
                    kept_out[room] = foreign
        else:
            raise AssertionError(f"a contract of type {contract['type']} cannot be drawn yet")
    graph = grimp.build_graph(*rooms, cache_dir=None)
    imports = {
        (_room(module), _room(imported))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
        if _room(module) != _room(imported)
    }
    return House(
        rooms=rooms,
        floors=floors,
        forbidden=frozenset(forbidden),
        imports=frozenset(imports),
        kept_out=kept_out,
    )


def _kept_apart(layers: list[list[str]]) -> Iterator[Edge]:
    """Imports that layers forbid, the lowest first: nobody imports upwards, nor beside on the same floor."""
    for number, layer in enumerate(layers):
        above = [room for higher in layers[number + 1 :] for room in higher]
        for room in layer:
            yield from ((room, other) for other in above)
            yield from ((room, other) for other in layer if other != room)


def _room(module: str) -> str:
    return module.partition(".")[0]


def render(house: House, checkout: Path = CHECKOUT) -> str:
    """The chapter of the document, in Markdown."""
    return "\n".join(
        [BEGIN, "", *_diagram(house), "", *_table(house, checkout), "", *_foreign(house), "", END]
    )


def _diagram(house: House) -> Iterator[str]:
    """Arrows from those who import; what follows from other arrows is left out."""
    yield "```mermaid"
    yield "flowchart TD"
    for room in reversed(house.rooms):
        yield f'    {room}["{room}/"]'
    for importer, imported in sorted(house.imports, key=lambda edge: _place(house, edge)):
        between = {other for one, other in house.imports if one == importer} - {imported}
        if not any(_reaches(house.imports, other, imported) for other in between):
            yield f"    {importer} --> {imported}"
    yield "```"


def _reaches(imports: frozenset[Edge], start: str, goal: str) -> bool:
    seen, waiting = set[str](), [start]
    while waiting:
        room = waiting.pop()
        if room == goal:
            return True
        if room not in seen:
            seen.add(room)
            waiting.extend(other for one, other in imports if one == room)
    return False


def _place(house: House, edge: Edge) -> tuple[int, int]:
    importer, imported = edge
    return -house.rooms.index(importer), house.rooms.index(imported)


def _table(house: House, checkout: Path) -> Iterator[str]:
    yield "| floor | room | what it is | imports | may also import |"
    yield "| --- | --- | --- | --- | --- |"
    for room in reversed(house.rooms):
        imported = [other for other in house.rooms if (room, other) in house.imports]
        allowed = [
            other
            for other in house.rooms
            if other != room and other not in imported and (room, other) not in house.forbidden
        ]
        yield (
            f"| {house.floors.get(room, BESIDE)} | `{room}/` | {_summary(checkout / room)} "
            f"| {_names(imported)} | {_names(allowed)} |"
        )


def _summary(room: Path) -> str:
    """The first line of the room's docstring."""
    text = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    assert text, f"{room.name} does not say what it is"
    return text.partition("\n")[0]


def _names(rooms: list[str]) -> str:
    return ", ".join(f"`{room}`" for room in rooms) or "–"


def _foreign(house: House) -> Iterator[str]:
    for room, packages in house.kept_out.items():
        yield f"- `{room}/` runs without {_names(list(packages))}."


def rewritten(document: str, chapter: str) -> str:
    """The document with this chapter in the place of the old one. ValueError if it has none."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no {BEGIN} … {END}")
    return before + chapter + after


if __name__ == "__main__":
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(rewritten(text, render(read_house())), encoding="utf-8")
