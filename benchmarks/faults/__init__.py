"""`anshou bench faults`: whatever dies, nothing that went through a gateway is lost, doubled or altered."""

import secrets
import sys

from benchmarks.faults.ledger import EXAMPLES_MAX
from benchmarks.faults.recovery import by_kind
from benchmarks.faults.trial import NotHealedError, Outcome
from benchmarks.faults.trial import run as run_once
from benchmarks.faults.verdict import BROKER_FORGETS_S
from benchmarks.figures import Figure, figure

SEED_MAX = 2**31
RECOVERY_S_MAX = 60.0


def run(seed: int | None = None, faults: int = 200) -> list[Figure]:
    """All figures of this benchmark. Without a `seed` the faults are new ones; it is told, for a replay."""
    if seed is None:
        seed = secrets.randbelow(SEED_MAX)
    print(f"To replay: anshou bench faults --seed {seed} --faults {faults}", file=sys.stderr, flush=True)
    outcome = run_once(seed, faults, talk=True)
    for wrong in [*outcome.verdict.examples(), *outcome.unexplained[:EXAMPLES_MAX]]:
        print(wrong, file=sys.stderr)
    return figures_of(outcome)


def figures_of(outcome: Outcome) -> list[Figure]:
    """The outcome of a run as figures."""
    verdict = outcome.verdict
    gateways, direct, direct_alarms = verdict.gateways, verdict.direct, verdict.direct_alarms

    def none(name: str, count: int) -> Figure:
        return figure(name, count, "", target=0, better="lower")

    def stated(name: str, count: int) -> Figure:
        return figure(name, count, "", target=float("inf"), better="lower")

    figures = [
        figure("faults", len(outcome.faults), "", target=1),
        figure("through gateways: said", gateways.said, "", target=1),
        none("through gateways: lost", gateways.lost),
        none("through gateways: duplicated", gateways.duplicated),
        none("through gateways: altered", gateways.altered),
        none("alarms not open exactly once", len(verdict.wrong_alarms)),
        none("dead letters", verdict.dead_letters),
        none("residents whose latest state is not what raw data gives", verdict.wrong_states),
        none("hourly rollups that are not what raw data gives", verdict.wrong_hours),
        stated("direct devices: readings said", direct.said),
        stated("direct devices: readings lost", direct.lost),
        stated("direct devices: readings duplicated", direct.duplicated),
        none("direct devices: readings altered", direct.altered),
        stated("direct devices: alarms said", direct_alarms.said),
        stated("direct devices: alarms lost", direct_alarms.lost),
        stated("direct devices: kills of the broker", outcome.broker_kills),
        figure(
            "direct devices: taken over before the kill that lost it, at most",
            outcome.oldest_lost_s,
            "s",
            target=BROKER_FORGETS_S,
            better="lower",
        ),
        none("direct devices: lost otherwise than by a kill of the broker", len(outcome.unexplained)),
    ]
    for kind, (count, p50_s, max_s) in by_kind(outcome.overcome, lambda fault: fault.sort).items():
        name = f"recovery, {kind} ({count}×)"
        figures.append(figure(f"{name}: p50", p50_s, "s", target=RECOVERY_S_MAX, better="lower"))
        figures.append(figure(f"{name}: max", max_s, "s", target=2 * RECOVERY_S_MAX, better="lower"))
    return figures


__all__ = ["NotHealedError", "run"]
