"""`anshou evaluate`: replay public records of real people, print what was reached, and write the reports."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from analytics.evaluation import datasets, homes, mortality, physionet2012, report, tihm
from analytics.evaluation.results import Result
from benchmarks import figures

evaluate_app = typer.Typer(
    help="Measure the analytics on public records of real people.",
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


def _print(title: str, results: Sequence[Result], written: Path, *, as_json: bool) -> None:
    rows = [
        figures.figure(result.name, result.value.value, "1", target=result.reach, ceiling=result.published)
        for result in results
    ]
    figures.report(title, rows, as_json=as_json)
    typer.echo(f"Report: {written}", err=True)
