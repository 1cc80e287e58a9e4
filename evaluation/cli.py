"""`anshou evaluate`: replay real records and simulated counties, say what was reached, write reports."""

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import figures
from benchmarks.stack import DATABASE, running_stack
from evaluation import datasets, homes, mortality, physionet2012, replay, report, simulated, tihm
from evaluation.datasets import DatasetError
from evaluation.results import Result
from evaluation.simulated import LEARNING_DAYS, Lived
from simulator.clock import DAY_MS

evaluate_app = typer.Typer(
    help="Measure the analytics on public records of real people, and on simulated counties.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Dataset = Annotated[
    Path, typer.Argument(metavar="DIR", help="An extracted copy of the data set, or its tar archive.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]
ReportFolder = Annotated[
    Path, typer.Option("--report", metavar="DIR", help="Where the report and its plots are written.")
]
REPORTS = Path("docs/evaluation")
SEEDS = (202_601, 202_602)
"""Counties on which nothing was chosen; thresholds were chosen on seeds 11 to 13."""


@evaluate_app.command("tihm")
def evaluate_tihm(dataset: Dataset, as_json: AsJson = False, report_folder: ReportFolder = REPORTS) -> None:
    """Agitation by day, and alerts of blood pressure and pulse, in homes of people with dementia."""
    with datasets.opened(dataset) as folder:
        found = homes.evaluate(tihm.read(folder))
    results = homes.results(found)
    written = report.write_homes(found, results, report_folder)
    _print("evaluation on tihm", results, written, as_json=as_json)


@evaluate_app.command("physionet2012")
def evaluate_physionet2012(
    dataset: Dataset, as_json: AsJson = False, report_folder: ReportFolder = REPORTS
) -> None:
    """Death in hospital, from two days of vital signs in intensive care."""
    with datasets.opened(dataset) as folder:
        found = mortality.evaluate(physionet2012.read(folder))
    results = mortality.results(found)
    written = report.write_mortality(found, results, report_folder)
    _print("evaluation on physionet2012", results, written, as_json=as_json)


@evaluate_app.command("simulated")
def evaluate_simulated(
    seeds: Annotated[
        list[int], typer.Option("--seed", help="Which county; may be given more than once.")
    ] = list(SEEDS),  # noqa: B006 - typer reads it
    residents: Annotated[int, typer.Option(min=10, max=5_000, help="How many people live in each.")] = 150,
    days: Annotated[
        int, typer.Option(min=LEARNING_DAYS + 1, max=365, help="How many days are lived through.")
    ] = 90,
    step_min: Annotated[
        int, typer.Option("--step", min=1, max=15, help="Minutes from one round of analytics to the next.")
    ] = 15,
    minutes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Begin no further day after so long, and score the days that all counties have lived.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Counties lived through at once.")] = 2,
    as_json: AsJson = False,
    report_folder: ReportFolder = REPORTS,
) -> None:
    """Everything that happens in made-up counties, through the production code, day after day."""
    begins_none_after_s = None if minutes is None else time.time() + 60 * minutes
    orders = [
        replay.Order(
            seed=seed,
            residents=residents,
            days=days,
            step_min=step_min,
            begins_none_after_s=begins_none_after_s,
        )
        for seed in dict.fromkeys(seeds)
    ]
    with ProcessPoolExecutor(min(workers, len(orders))) as pool:
        lives = simulated.together(list(pool.map(_live, orders)))
    days_lived = (lives[0].end_ms - lives[0].begin_ms) // DAY_MS
    if days_lived <= LEARNING_DAYS:
        raise DatasetError(
            f"In {minutes} min only {days_lived} days were lived through, and the first {LEARNING_DAYS} are "
            "not scored: give it more time, or fewer residents."
        )
    found = simulated.score(lives)
    results = simulated.results(found)
    how = {
        "seeds": ", ".join(str(order.seed) for order in orders),
        "residents": residents,
        "days": days_lived,
        "days_asked": days,
        "step_min": step_min,
    }
    written = report.write_simulated(found, results, how, report_folder)
    _print("evaluation on simulated counties", results, written, as_json=as_json)


def _live(order: replay.Order) -> Lived:
    with running_stack() as stack:
        service = stack.cluster.url(DATABASE, "anshou_service", stack.passwords["anshou_service"])
        return replay.live(order, stack.owner_url, service, partial(_tell, order.seed))


def _tell(seed: int, done: int, of: int) -> None:
    typer.echo(f"county {seed}: day {done} of {of}", err=True)


def _print(title: str, results: Sequence[Result], written: Path, *, as_json: bool) -> None:
    rows = [
        figures.figure(
            result.name,
            result.value.value,
            "1",
            target=result.reach,
            ceiling=result.published,
            better=result.better,
        )
        for result in results
    ]
    figures.report(title, rows, as_json=as_json)
    typer.echo(f"Report: {written}", err=True)
