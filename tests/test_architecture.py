"""docs/architecture.md shows the rooms as the contracts and the code have them; nothing is left undecided."""

import subprocess
from dataclasses import replace
from graphlib import TopologicalSorter

import grimp
import pytest

from tests.architecture import CHECKOUT, DOCUMENT, House, read_house, render, rewritten


@pytest.fixture(scope="module")
def house() -> House:
    return read_house()


def test_the_document_shows_the_house_as_it_is(house: House) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == rewritten(text, render(house)), "write it anew: python -m tests.architecture"


def test_an_edge_more_would_be_noticed(house: House) -> None:
    before = render(house)
    for edge in sorted({(one, other) for one in house.rooms for other in house.rooms if one != other}):
        if edge not in house.imports:
            assert render(replace(house, imports=house.imports | {edge})) != before


def test_every_folder_with_code_is_a_room(house: House) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--", "*/__init__.py"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    folders = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    assert folders - {"tests"} == set(house.rooms)


def test_the_contracts_decide_every_pair_of_rooms(house: House) -> None:
    """A room that stands in no contract, or a pair between two contracts, could import either way."""
    assert house.undecided() == []


def test_no_room_imports_what_is_forbidden(house: House) -> None:
    assert house.imports & house.forbidden == set()


def test_no_modules_import_each_other_in_a_circle(house: House) -> None:
    """Also not for types only: a circle is one module in two files, or a third that is missing."""
    graph = grimp.build_graph(*house.rooms, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()  # raises CycleError, which names the circle
