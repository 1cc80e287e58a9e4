"""Writes a story to Parquet: what devices said, who and what there is, and what truly happened.

A folder holds one file for each table of `SCHEMAS` and `county.json` with what it was made from. It appears
under its name when it is whole, not before. The county is told in portions of a day and so many sites, by as
many processes as there are processors; memory is bounded by a few portions.
"""

import json
import multiprocessing
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from protocol.model import AlarmSignal
from protocol.signs import SIGNS
from simulator import events
from simulator.county import county_of
from simulator.errors import SimulatorError
from simulator.events import FIRMWARES, Events, Said
from simulator.labels import Label
from simulator.plan import County
from simulator.story import Story

TIME = pa.timestamp("ms", tz="UTC")
NAME = pa.dictionary(pa.int32(), pa.string())
MANIFEST = "county.json"

PORTION_PERSONS = 1_000
"""So many persons and no fewer, with all that is where they live, are a portion of a day."""
_NAMES = ["site", "device", "event", "kind", "state", "fw", "resident", "battery", "rssi"]
_WRITING: Mapping[str, Any] = {
    "compression": "zstd",
    # Signs repeat themselves, and so do names; times rise.
    "use_dictionary": [*_NAMES, "hr", "rr", "spo2", "temp"],
}
_TIMES_RISE = {"time": "DELTA_BINARY_PACKED", "received": "DELTA_BINARY_PACKED"}

_SAID = [("time", TIME), ("received", TIME), ("site", NAME), ("device", NAME)]
SCHEMAS: Mapping[str, pa.Schema] = {
    "vitals": pa.schema([*_SAID, ("resident", pa.int32()), *((sign, pa.float32()) for sign in SIGNS)]),
    "activity": pa.schema([*_SAID, ("event", NAME)]),
    "alarms": pa.schema([*_SAID, ("kind", NAME), ("state", NAME), ("signal_id", pa.string())]),
    "statuses": pa.schema([*_SAID, ("battery", pa.int8()), ("rssi", pa.int16()), ("fw", NAME)]),
    "labels": pa.schema(
        [
            ("label_id", pa.string()),
            ("kind", NAME),
            ("site", pa.string()),
            ("resident", pa.int32()),
            ("device", pa.string()),
            ("begin", TIME),
            ("end", TIME),
            ("peak", TIME),
            ("severity", pa.float32()),
            ("told", pa.bool_()),
            ("detail", pa.string()),
        ]
    ),
    "residents": pa.schema(
        [
            ("resident", pa.int32()),
            ("site", pa.string()),
            ("room", pa.int32()),
            ("bed", pa.string()),
            ("age", pa.int16()),
            ("sex", pa.string()),
            ("self_care", pa.string()),
            ("conditions", pa.list_(pa.string())),
            ("medications", pa.list_(pa.string())),
        ]
    ),
    "devices": pa.schema(
        [
            ("device", pa.string()),
            ("site", pa.string()),
            ("kind", pa.string()),
            ("room", pa.int32()),
            ("resident", pa.int32()),
        ]
    ),
    "rooms": pa.schema(
        [
            ("room", pa.int32()),
            ("site", pa.string()),
            ("kind", pa.string()),
            ("number", pa.int32()),
            ("floor", pa.int16()),
        ]
    ),
    "sites": pa.schema(
        [
            ("site", pa.string()),
            ("kind", pa.string()),
            ("township", pa.int16()),
            ("village", pa.int16()),
            ("operator", pa.int16()),
            ("diligence", pa.float32()),
        ]
    ),
}
"""The tables. `resident` and `room` are numbers as in `residents` and `rooms`; `time` is by the device,
`received` when the message would have come; docs/simulator.md says the rest."""

Tables = dict[str, pa.Table]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to write: the same order, the same bytes of data.

    Attributes:
        seed: which county.
        residents: how many live there.
        first_day: the first simulated day (see `simulator.clock`).
        days: how many.
        incident_rate: as of `Story`.
        ordeal_rate: as of `Story`.
    """

    seed: int
    residents: int
    first_day: int
    days: int
    incident_rate: float = 1.0
    ordeal_rate: float = 1.0

    def story(self) -> Story:
        """The story that is told."""
        county = county_of(self.seed, self.residents)
        return Story(county, incident_rate=self.incident_rate, ordeal_rate=self.ordeal_rate)


def export(order: Order, folder: Path, progress: Progress = lambda _done, _of: None) -> None:
    """Write `folder`; `progress(done, of)` counts days of persons.

    Raises:
        SimulatorError: the folder has something in it, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SimulatorError(f"{folder} is there already; name a folder that is empty or does not exist")
    partial = folder.with_name(f"{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _write(order, partial, progress)
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    except OSError as error:
        raise SimulatorError(f"cannot write {folder}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(order: Order, folder: Path, progress: Progress) -> None:
    county = order.story().county
    for name, table in tables_of_county(county).items():
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    (folder / MANIFEST).write_text(json.dumps(asdict(order), indent=2) + "\n", encoding="utf-8")
    done, of = 0, order.days * len(county.subjects)
    with ExitStack() as open_files:
        writers = {
            name: open_files.enter_context(
                pq.ParquetWriter(
                    folder / f"{name}.parquet",
                    SCHEMAS[name],
                    column_encoding=_TIMES_RISE if "time" in SCHEMAS[name].names else None,
                    **_WRITING,
                )
            )
            for name in ("vitals", "activity", "alarms", "statuses", "labels")
        }
        for persons, tables in _told(order, portions(county)):
            for name, table in tables.items():
                if table.num_rows:
                    writers[name].write_table(table)
            done += persons
            progress(done, of)


def portions(county: County) -> list[range]:
    """The sites of a county, in runs in which at least `PORTION_PERSONS` live, but for the last."""
    found, first, persons = [], 0, 0
    for site in county.sites:
        persons += len(county.subjects_of(site.index))
        if persons >= PORTION_PERSONS:
            found.append(range(first, site.index + 1))
            first, persons = site.index + 1, 0
    if first < len(county.sites):
        found.append(range(first, len(county.sites)))
    return found


def _told(order: Order, sites: Sequence[range]) -> Iterator[tuple[int, Tables]]:
    """How many persons each portion is about, and its tables, in order; none is far ahead of the others."""
    workers = max(1, min(len(os.sched_getaffinity(0)), order.days * len(sites)))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(order,)) as pool:
        ahead: deque[Future[tuple[int, Tables]]] = deque()
        try:
            for day in range(order.days):
                for some in sites:
                    ahead.append(pool.submit(_tell, day, some))
                    if len(ahead) > workers + 1:
                        yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


_story: Story | None = None
_order: Order | None = None


def _begin(order: Order) -> None:
    """In each worker, once."""
    global _story, _order  # a pool's worker has no other place for what it works on
    _story, _order = order.story(), order


def _tell(ahead: int, sites: range) -> tuple[int, Tables]:
    assert _story is not None, "the worker has begun"
    assert _order is not None, "the worker has begun"
    told = _story.tell(_order.first_day + ahead, sites=sites, opening=ahead == 0)
    persons = sum(len(_story.county.subjects_of(site)) for site in sites)
    return persons, tables_of_day(_story.county, events.as_heard(told.events), told.labels)


def tables_of_day(county: County, rows: Events, labels: Sequence[Label]) -> Tables:
    """What was said, in the order of `rows`, and the labels, as in `SCHEMAS`."""
    names, sites, site_of, wearer_of = _dictionaries(county)

    def said(part: Events) -> list[pa.Array]:
        ts_ms, device = part["ts_ms"], np.ascontiguousarray(part["device"])
        return [
            pa.array(ts_ms + part["clock_off_ms"], TIME),
            pa.array(ts_ms + part["delay_ms"], TIME),
            pa.DictionaryArray.from_arrays(pa.array(site_of[device]), sites),
            pa.DictionaryArray.from_arrays(pa.array(device), names),
        ]

    tables: Tables = {}
    vitals = events.chosen(rows, events.is_said(rows, Said.VITALS))
    wearer = wearer_of[vitals["device"]]
    tables["vitals"] = pa.Table.from_arrays(
        [
            *said(vitals),
            pa.array(wearer, mask=wearer < 0),
            *(pa.array(np.ascontiguousarray(events.sign(vitals, sign)), from_pandas=True) for sign in SIGNS),
        ],
        schema=SCHEMAS["vitals"],
    )
    activity = events.chosen(rows, events.is_said(rows, Said.ACTIVITY))
    tables["activity"] = pa.Table.from_arrays(
        [
            *said(activity),
            pa.DictionaryArray.from_arrays(pa.array(activity["code"]), list(map(str, events.ACTIVITIES))),
        ],
        schema=SCHEMAS["activity"],
    )
    alarms = events.chosen(rows, events.is_said(rows, Said.ALARM))
    signals = [one.message for one in events.messages(alarms) if isinstance(one.message, AlarmSignal)]
    tables["alarms"] = pa.Table.from_arrays(
        [
            *said(alarms),
            pa.array([str(signal.kind) for signal in signals], pa.string()).dictionary_encode(),
            pa.array([str(signal.state) for signal in signals], pa.string()).dictionary_encode(),
            pa.array([signal.signal_id for signal in signals], pa.string()),
        ],
        schema=SCHEMAS["alarms"],
    )
    statuses = events.chosen(rows, events.is_said(rows, Said.STATUS))
    battery = statuses["values"][:, 0]
    tables["statuses"] = pa.Table.from_arrays(
        [
            *said(statuses),
            pa.array(np.nan_to_num(battery).astype(np.int8), mask=np.isnan(battery)),
            pa.array(statuses["values"][:, 1].astype(np.int16)),
            pa.DictionaryArray.from_arrays(pa.array(statuses["code"]), list(FIRMWARES)),
        ],
        schema=SCHEMAS["statuses"],
    )
    tables["labels"] = _labels(county, labels)
    return tables


@lru_cache(maxsize=2)
def _dictionaries(county: County) -> tuple[pa.Array, pa.Array, np.ndarray, np.ndarray]:
    """The names of devices and sites; the site of each device, and the index of its wearer or -1."""
    return (
        pa.array([device.name for device in county.devices]),
        pa.array([site.name for site in county.sites]),
        np.array([device.site for device in county.devices], np.int32),
        np.array([-1 if one.subject is None else one.subject for one in county.devices], np.int32),
    )


def _labels(county: County, labels: Sequence[Label]) -> pa.Table:
    columns = {
        "label_id": [label.label_id for label in labels],
        "kind": [str(label.kind) for label in labels],
        "site": [county.sites[label.site].name for label in labels],
        "resident": [label.subject for label in labels],
        "device": [
            county.devices[label.device].name if label.device is not None else None for label in labels
        ],
        "begin": [label.begin_ms for label in labels],
        "end": [label.end_ms for label in labels],
        "peak": [label.peak_ms for label in labels],
        "severity": [label.severity for label in labels],
        "told": [label.told for label in labels],
        "detail": [label.detail for label in labels],
    }
    schema = SCHEMAS["labels"]
    arrays = [
        pa.array(values, pa.string()).dictionary_encode()
        if schema.field(name).type == NAME
        else pa.array(values, schema.field(name).type)
        for name, values in columns.items()
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def tables_of_county(county: County) -> Tables:
    """Who and what there is, as in `SCHEMAS`."""
    rows: dict[str, list[dict[str, object]]] = {
        "residents": [
            {
                "resident": one.index,
                "site": county.sites[one.site].name,
                "room": one.room,
                "bed": one.bed,
                "age": one.traits.age,
                "sex": str(one.traits.sex),
                "self_care": str(one.traits.self_care),
                "conditions": sorted(map(str, one.traits.conditions)),
                "medications": sorted(map(str, one.traits.medications)),
            }
            for one in county.subjects
        ],
        "devices": [
            {
                "device": one.name,
                "site": county.sites[one.site].name,
                "kind": str(one.kind),
                "room": one.room,
                "resident": one.subject,
            }
            for one in county.devices
        ],
        "rooms": [
            {
                "room": one.index,
                "site": county.sites[one.site].name,
                "kind": str(one.sort),
                "number": one.number,
                "floor": one.floor,
            }
            for one in county.rooms
        ],
        "sites": [
            {
                "site": one.name,
                "kind": str(one.sort),
                "township": one.township,
                "village": one.village,
                "operator": one.operator,
                "diligence": one.diligence,
            }
            for one in county.sites
        ],
    }
    return {name: pa.Table.from_pylist(given, schema=SCHEMAS[name]) for name, given in rows.items()}
