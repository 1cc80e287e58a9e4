"""Would you take it for a real home? Simulated households beside the homes of TIHM, by their daily rhythms.

`python -m evaluation.likeness --dataset DIR [--into docs]` prints a table and draws it. The dataset is
"TIHM: An open dataset for remote healthcare monitoring in dementia" (Zenodo record 7622128; CC BY 4.0,
University of Surrey and Surrey and Borders Partnership NHS Trust), as a folder with activity.csv and
physiology.csv.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer

from protocol.model import ActivityEvent, DeviceKind
from simulator import events
from simulator.clock import HOUR_MS, MINUTE_MS
from simulator.county import plan_county
from simulator.errors import SimulatorError
from simulator.events import Said
from simulator.routine import Place
from simulator.story import Story

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HOUSEHOLDS, DAYS, SEED, FIRST_DAY = 120, 21, 41, 20_760
"""The simulated households that are compared; the seed is used for nothing else."""
ROOMS = ("bathroom", "bedroom", "kitchen", "living")
_REAL_ROOMS = {
    "bathroom": "bathroom",
    "bedroom": "bedroom",
    "kitchen": "kitchen",
    "lounge": "living",
    "hallway": "living",  # a rural house has one main room, which is also the way through
}
_PLACES = {
    Place.BATHROOM: "bathroom",
    Place.BEDROOM: "bedroom",
    Place.KITCHEN: "kitchen",
    Place.LIVING_ROOM: "living",
}
_SIGNS = {
    "Heart rate": "hr",
    "Systolic blood pressure": "sbp",
    "Diastolic blood pressure": "dbp",
    "Body Temperature": "temp",
    "Body weight": "weight",
}
_SPAN_MIN = 10
"""Measurements that a person must have for a mean and a spread."""
VISIT_APART_MIN = 10
NIGHT_H = 6
"""Night is from midnight to this hour."""
EARLIER_H = 2
"""Simulated elders rise and go to bed about so much earlier than those in Surrey; shapes are compared after
moving them, times of day as they are."""

Home = list[tuple[int, str]]
"""Motion in one home: (local time in milliseconds, room), in order."""


class Measure(NamedTuple):
    """One number of each home or person, in the real and in the simulated ones."""

    name: str
    unit: str
    real: np.ndarray
    simulated: np.ndarray

    def band(self) -> tuple[float, float]:
        """Where the middle eight tenths of the real ones are."""
        low, high = np.quantile(self.real, [0.1, 0.9])
        return float(low), float(high)

    def inside(self) -> bool:
        """Whether the simulated median is there."""
        low, high = self.band()
        return bool(low <= np.median(self.simulated) <= high)

    def distance(self) -> float:
        """Wasserstein distance, in units of the real ones' band."""
        points = np.linspace(0.005, 0.995, 199)
        apart = np.abs(np.quantile(self.real, points) - np.quantile(self.simulated, points)).mean()
        low, high = self.band()
        return float(apart / (high - low)) if high > low else float("nan")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All measures, and the share of a day's motion in each hour: (homes, 24)."""

    measures: Sequence[Measure]
    real_profile: np.ndarray
    simulated_profile: np.ndarray
    rooms: Mapping[str, tuple[np.ndarray, np.ndarray]]
    """The same of each room alone, real and simulated, of the homes that have a sensor there."""

    def hours_inside(self, earlier_h: int, room: str | None = None) -> list[int]:
        """The hours in which the simulated median, moved by so much, lies in the real 10–90 % band."""
        real, ours = (self.real_profile, self.simulated_profile) if room is None else self.rooms[room]
        low, high = np.quantile(real, [0.1, 0.9], axis=0)
        median = np.roll(np.median(ours, axis=0), earlier_h)
        return [int(hour) for hour in np.flatnonzero((median >= low) & (median <= high))]


def compare(dataset: Path) -> Comparison:
    """Simulated households beside the real ones in `dataset`. SimulatorError when it cannot be read."""
    real, real_signs = _real_motion(dataset), _real_signs(dataset)
    simulated, simulated_signs = simulated_homes()
    measures = [Measure(name, unit, *_of_homes(of, real, simulated)) for (name, unit), of in MEASURES.items()]
    for sign in _SIGNS.values():
        ours, theirs = simulated_signs.get(sign, []), real_signs.get(sign, [])
        if ours and theirs:
            measures.append(Measure(f"{sign}: a person's mean", "", _means(theirs), _means(ours)))
            measures.append(Measure(f"{sign}: spread of one person", "", _spreads(theirs), _spreads(ours)))
    return Comparison(
        measures=measures,
        real_profile=np.array([_profile(home) for home in real]),
        simulated_profile=np.array([_profile(home) for home in simulated]),
        rooms={room: (_profiles_in(real, room), _profiles_in(simulated, room)) for room in ROOMS},
    )


def table(comparison: Comparison) -> str:
    """Markdown."""
    lines = [
        "| measure | real: 10 % / median / 90 % | simulated: 10 % / median / 90 % | inside | distance |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in comparison.measures:
        theirs, ours = (
            " / ".join(f"{value:.3g}" for value in np.quantile(side, [0.1, 0.5, 0.9]))
            for side in (one.real, one.simulated)
        )
        inside = "yes" if one.inside() else "**no**"
        name = f"{one.name} ({one.unit})" if one.unit else one.name
        lines.append(f"| {name} | {theirs} | {ours} | {inside} | {one.distance():.2f} |")
    as_they_are, moved = comparison.hours_inside(0), comparison.hours_inside(EARLIER_H)
    hours = (
        f"Hours of the day whose share of motion lies in the real 10–90 % band: {len(as_they_are)} of 24 by"
        f" the clock, {len(moved)} of 24 after moving the simulated day {EARLIER_H} h later."
    )
    by_room = ", ".join(
        f"{room} {len(comparison.hours_inside(EARLIER_H, room))}" for room in comparison.rooms
    )
    lines += ["", hours, "", f"The same of each room alone, moved: {by_room} of 24."]
    return "\n".join(lines)


def draw(comparison: Comparison, path: Path) -> None:
    """The rhythm of the day, of the whole home and of each room, and all measures, as one picture."""
    from matplotlib.figure import Figure  # slow to import

    figure = Figure(figsize=(11, 12), layout="constrained")
    grid = figure.add_gridspec(3, len(comparison.rooms), height_ratios=[1, 0.7, 1.4])
    whole = figure.add_subplot(grid[0, :])
    _draw_rhythm(whole, comparison.real_profile, comparison.simulated_profile)
    whole.set(xlabel="hour of day", ylabel="% of a day's motion", xticks=range(24))
    whole.legend(frameon=False)
    for column, (room, (real, ours)) in enumerate(comparison.rooms.items()):
        panel = figure.add_subplot(grid[1, column])
        _draw_rhythm(panel, real, ours)
        panel.set(title=room, xticks=range(0, 24, 6))
    bottom = figure.add_subplot(grid[2, :])
    names = [one.name for one in comparison.measures]
    for row, one in enumerate(comparison.measures):
        low_end, high_end = one.band()
        if high_end <= low_end:
            continue  # one home has no band
        scaled = (np.quantile(one.simulated, [0.1, 0.5, 0.9]) - low_end) / (high_end - low_end)
        bottom.plot(scaled[[0, 2]], [row, row], color=_OURS, linewidth=2)
        bottom.plot(scaled[1], row, "o", color=_OURS)
    bottom.axvspan(0, 1, color=_BAND, alpha=0.4)
    bottom.set_yticks(range(len(names)), names)
    bottom.invert_yaxis()
    bottom.set(xlim=(-2, 3), xlabel="simulated 10 % – median – 90 %; grey: the real homes' 10–90 % band")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=72)


_OURS, _REAL, _BAND = "#c33", "#456", "#9ab"


def _draw_rhythm(panel: "Axes", real: np.ndarray, ours: np.ndarray) -> None:
    if not real.size or not ours.size:
        return
    hours = np.arange(24)
    low, middle, high = np.quantile(real, [0.1, 0.5, 0.9], axis=0) * 100
    median = np.median(ours, axis=0) * 100
    panel.fill_between(hours, low, high, color=_BAND, alpha=0.4, label="real homes, 10–90 %")
    panel.plot(hours, middle, color=_REAL, label="real homes, median")
    panel.plot(hours, median, color=_OURS, label="simulated, median")
    moved = np.roll(median, EARLIER_H)
    panel.plot(hours, moved, color=_OURS, linestyle=":", label=f"the same {EARLIER_H} h later")
    panel.set(xlim=(0, 23), ylim=(0, None))


def _of_homes(of: Callable[[Home], float], *sides: Sequence[Home]) -> Iterator[np.ndarray]:
    return (np.array([of(home) for home in homes]) for homes in sides)


def _profiles_in(homes: Sequence[Home], room: str) -> np.ndarray:
    inside = ([(at_ms, where) for at_ms, where in home if where == room] for home in homes)
    return np.array([_profile(home) for home in inside if home]).reshape(-1, 24)


def _visits_at_night(home: Home, room: str) -> int:
    """Visits to a room: motion after a pause there of `VISIT_APART_MIN`."""
    times_ms = np.array([at_ms for at_ms, where in home if where == room], np.int64)
    begins = times_ms[np.diff(times_ms, prepend=times_ms[:1] - HOUR_MS) > VISIT_APART_MIN * MINUTE_MS]
    return int((begins // HOUR_MS % 24 < NIGHT_H).sum())


def _days(home: Home) -> int:
    return len({at_ms // (24 * HOUR_MS) for at_ms, _ in home})


def _profile(home: Home) -> np.ndarray:
    counts = np.bincount([at_ms // HOUR_MS % 24 for at_ms, _ in home], minlength=24)
    return np.asarray(counts / counts.sum())


def _pauses_s(home: Home) -> np.ndarray:
    return np.diff([at_ms for at_ms, _ in home]) / 1000


def _at_night(home: Home, room: str | None) -> int:
    return sum(1 for at_ms, where in home if at_ms // HOUR_MS % 24 < NIGHT_H and room in (None, where))


def _share_in(room: str) -> Callable[[Home], float]:
    return lambda home: sum(1 for _, where in home if where == room) / len(home)


MEASURES: Mapping[tuple[str, str], Callable[[Home], float]] = {
    ("motion a day", "events"): lambda home: len(home) / _days(home),
    ("motion at night", "share"): lambda home: _at_night(home, None) / len(home),
    ("motion in the bathroom at night", "events"): lambda home: _at_night(home, "bathroom") / _days(home),
    ("visits to the bathroom at night", "visits"): lambda home: (
        _visits_at_night(home, "bathroom") / _days(home)
    ),
    ("time to the next motion", "s"): lambda home: float(np.median(_pauses_s(home))),
    ("longest twentieth of the pauses", "s"): lambda home: float(np.quantile(_pauses_s(home), 0.95)),
    **{(f"motion in the {room}", "share"): _share_in(room) for room in ROOMS},
}


def _means(people: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([person.mean() for person in people])


def _spreads(people: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([person.std() for person in people])


def simulated_homes() -> tuple[list[Home], dict[str, list[np.ndarray]]]:
    """The motion in each simulated household with a sensor in every room; each person's readings by sign."""
    county = plan_county(SEED, care_homes=0, day_centres=0, households=HOUSEHOLDS)
    story = Story(county)
    rows = np.concatenate([story.day(FIRST_DAY + ahead) for ahead in range(DAYS)])
    motion = rows[events.is_activity(rows, ActivityEvent.MOTION)]
    homes: dict[int, Home] = {}
    for ts_ms, device in zip(motion["ts_ms"].tolist(), motion["device"].tolist(), strict=True):
        place = county.devices[device].place
        if place in _PLACES:
            homes.setdefault(county.devices[device].site, []).append((ts_ms + 8 * HOUR_MS, _PLACES[place]))
    readings = rows[events.is_said(rows, Said.VITALS)]
    instruments = (DeviceKind.BP_CUFF, DeviceKind.THERMOMETER, DeviceKind.HEALTH_KIOSK)
    by_hand = np.array([device.kind in instruments for device in county.devices])
    readings = readings[by_hand[readings["device"]]]
    site = np.array([device.site for device in county.devices])[readings["device"]]
    signs: dict[str, list[np.ndarray]] = {}
    for sign in _SIGNS.values():
        values = events.sign(readings, sign)
        for number in np.unique(site):
            person = values[(site == number) & ~np.isnan(values)]
            if person.size >= _SPAN_MIN:
                signs.setdefault(sign, []).append(person)
    # The real homes have a sensor in each of these rooms.
    return [home for home in homes.values() if {room for _, room in home} == set(ROOMS)], signs


def _real_motion(dataset: Path) -> list[Home]:
    homes: dict[str, Home] = {}
    for row in _read(dataset / "activity.csv", ("patient_id", "location", "time")):
        room = _REAL_ROOMS.get(row["location"].lower())
        if room is not None:
            homes.setdefault(row["patient_id"], []).append((_local_ms(row["time"]), room))
    return [sorted(home) for home in homes.values() if _days(home) >= 7]


def _real_signs(dataset: Path) -> dict[str, list[np.ndarray]]:
    people: dict[tuple[str, str], list[float]] = {}
    for row in _read(dataset / "physiology.csv", ("patient_id", "device_type", "value")):
        sign = _SIGNS.get(row["device_type"])
        if sign is not None:
            people.setdefault((sign, row["patient_id"]), []).append(float(row["value"]))
    signs: dict[str, list[np.ndarray]] = {}
    for (sign, _), values in people.items():
        if len(values) >= _SPAN_MIN:
            signs.setdefault(sign, []).append(np.array(values))
    return signs


def _read(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            missing = set(columns) - set(reader.fieldnames or ())
            if missing:
                raise SimulatorError(f"{path} has no column {', '.join(sorted(missing))}")
            yield from reader
    except OSError as error:
        raise SimulatorError(
            f"{path} cannot be read: {error}; it is a file of TIHM, Zenodo 7622128"
        ) from error


def _local_ms(text: str) -> int:
    """Milliseconds on the wall's clock; only differences and hours of day are made of it."""
    time = datetime.fromisoformat(text)
    return int((time - datetime(1970, 1, 1)).total_seconds() * 1000)  # noqa: DTZ001 - the set's times are local


def main(
    dataset: Annotated[Path, typer.Option(help="Folder with TIHM's activity.csv and physiology.csv.")],
    into: Annotated[
        Path | None, typer.Option(help="Folder of the docs: the picture goes to images/simulator/.")
    ] = None,
) -> None:
    """Compare simulated households with real homes."""
    try:
        comparison = compare(dataset)
    except SimulatorError as error:
        typer.echo(f"compare: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(table(comparison))
    if into is not None:
        draw(comparison, into / "images" / "simulator" / "rhythms.png")


if __name__ == "__main__":
    typer.run(main)
