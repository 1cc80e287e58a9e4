"""`anshou bench attacks`: what hostile devices, boxes, accounts and people try, against the running product.

The product is started as `anshou up` starts it, with the demonstration county, in a folder of its own. Then
each attack is tried. It ends as *refused* (the attacker was turned away), *held* (they got in, and it harmed
nobody) or *failed* (it did harm); beside it stands how long another device's SOS took meanwhile.

How to add an attack: write a function in the file of its family and mark it; its docstring is its title::

    @attack("MQ-01")
    def take_over_the_alarm_intake(product: Product) -> Verdict:
        '''A device signs in under the client id of the alarm intake, again and again.'''
        thief = product.new_device("home-01")
        with product.watched_sos("home-01", count=20) as watched:
            ...                                  # do harm
        return held(f"{watched.stored} of 20 stored")   # or refused(…), failed(…)

Ids are those of the list of attacks. `watched_sos` has a device of another resident press its button at a
steady pace; an attack in whose time one of these came late (`SOS_S_MAX`) or not at all has failed, whatever
it returned. An exception means failed as well. An attack leaves the product running: what it stopped, it
starts again. A new family is a file here and its name in `FAMILIES`.
"""

import importlib
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.attacks.product import running_product
from benchmarks.attacks.verdict import Outcome, registered, try_attack

FAMILIES = ("broker",)


def run(*, only: str = "") -> list[Outcome]:
    """Every attack in the order of its family's file, one after the other.

    Args:
        only: Families or ids, separated by commas; empty: all.
    """
    wanted = {name for name in only.split(",") if name}
    for family in FAMILIES:
        importlib.import_module(f"benchmarks.attacks.{family}")
    chosen = [one for one in registered() if not wanted or wanted & {one.family, one.id}]
    with running_product() as product:
        return [try_attack(one, product) for one in chosen]


def report(title: str, outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    """Print what became of each attack, as one JSON object or as a table."""
    if as_json:
        print(msgspec.json.encode({"benchmark": title, "attacks": list(outcomes)}).decode())
        return
    table = Table(title=title, title_justify="left")
    for column in ("id", "attack", "verdict", "SOS, worst (s)", "found"):
        table.add_column(column, justify="right" if "(s)" in column else "left")
    for one in outcomes:
        worst = "" if one.sos_s_worst is None else f"{one.sos_s_worst:.2f}"
        table.add_row(one.id, one.title, one.verdict.upper() if not one.ok else one.verdict, worst, one.found)
    Console().print(table)
