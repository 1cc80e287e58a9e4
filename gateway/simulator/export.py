"""Writes a story to Parquet: what devices said, who and what there is, and what truly happened.

A folder holds one file for each table of `SCHEMAS` and `county.json` with what it was made from. It appears
under its name when it is whole, not before. Memory is bounded by a few days, told by as many processes as
there are processors.
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
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gateway.model import SIGNS, AlarmSignal
from gateway.simulator import events
from gateway.simulator.county import county_of
from gateway.simulator.errors import SimulatorError
from gateway.simulator.events import FIRMWARE, Events, Said
from gateway.simulator.labels import Label
from gateway.simulator.plan import County
from gateway.simulator.story import Story

TIME = pa.timestamp("ms", tz="UTC")
NAME = pa.dictionary(pa.int32(), pa.string())
MANIFEST = "county.json"

_SAID = [("time", TIME), ("received", TIME), ("site", NAME), ("device", NAME)]
SCHEMAS: Mapping[str, pa.Schema] = {
    "vitals": pa.schema([*_SAID, ("resident", pa.int32()), *((sign, pa.float32()) for sign in SIGNS)]),
    "activity": pa.schema([*_SAID, ("event", NAME)]),
    "alarms": pa.schema([*_SAID, ("kind", NAME), ("state", NAME), ("signal_id", pa.string())]),
    "statuses": pa.schema([*_SAID, ("battery", pa.int8()), ("rssi", pa.int16()), ("fw", NAME)]),
    "labels": pa.schema(
        [
            ("kind", NAME),
            ("site", pa.string()),
            ("resident", pa.int32()),
            ("device", pa.string()),
            ("begin", TIME),
            ("end", TIME),
            ("peak", TIME),
            ("severity", pa.float32()),
            ("told", pa.bool_()),
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
        first_day: the first simulated day (see `gateway.simulator.clock`).
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
    """Write `folder`; `progress(done, of)` counts days.

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
    for name, table in tables_of_county(order.story().county).items():
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    (folder / MANIFEST).write_text(json.dumps(asdict(order), indent=2) + "\n", encoding="utf-8")
    with ExitStack() as open_files:
        writers = {
            name: open_files.enter_context(
                pq.ParquetWriter(folder / f"{name}.parquet", SCHEMAS[name], compression="zstd")
            )
            for name in ("vitals", "activity", "alarms", "statuses", "labels")
        }
        for done, tables in enumerate(_days_told(order), start=1):
            for name, table in tables.items():
                if table.num_rows:
                    writers[name].write_table(table)
            progress(done, order.days)


def _days_told(order: Order) -> Iterator[Tables]:
    """The tables of each day, in order; no more days ahead than there are processors, and one."""
    workers = max(1, min(len(os.sched_getaffinity(0)), order.days))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(order,)) as pool:
        ahead: deque[Future[Tables]] = deque()
        try:
            for day in range(order.days):
                ahead.append(pool.submit(_tell, day))
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


def _tell(ahead: int) -> Tables:
    assert _story is not None, "the worker has begun"
    assert _order is not None, "the worker has begun"
    told = _story.tell(_order.first_day + ahead, opening=ahead == 0)
    return tables_of_day(_story.county, events.as_heard(told.events), told.labels)


def tables_of_day(county: County, rows: Events, labels: Sequence[Label]) -> Tables:
    """What was said, in the order of `rows`, and the labels, as in `SCHEMAS`."""
    names = pa.array([device.name for device in county.devices])
    sites = pa.array([site.name for site in county.sites])
    site_of = np.array([device.site for device in county.devices], np.int32)
    wearer_of = np.array([-1 if one.subject is None else one.subject for one in county.devices], np.int32)

    def said(part: Events) -> list[pa.Array]:
        time_ms = part["ts_ms"] + part["clock_off_ms"]
        received_ms = part["ts_ms"] + part["delay_ms"]
        device = part["device"]
        return [
            pa.array(time_ms, TIME),
            pa.array(received_ms, TIME),
            pa.DictionaryArray.from_arrays(pa.array(site_of[device]), sites),
            pa.DictionaryArray.from_arrays(pa.array(device), names),
        ]

    tables: Tables = {}
    vitals = rows[events.is_said(rows, Said.VITALS)]
    wearer = wearer_of[vitals["device"]]
    signs = [np.ascontiguousarray(events.sign(vitals, sign)) for sign in SIGNS]
    tables["vitals"] = pa.Table.from_arrays(
        [
            *said(vitals),
            pa.array(wearer, mask=wearer < 0),
            *(pa.array(values, mask=np.isnan(values)) for values in signs),
        ],
        schema=SCHEMAS["vitals"],
    )
    activity = rows[events.is_said(rows, Said.ACTIVITY)]
    tables["activity"] = pa.Table.from_arrays(
        [*said(activity), pa.array(events.activity_names(activity)).dictionary_encode()],
        schema=SCHEMAS["activity"],
    )
    alarms = rows[events.is_said(rows, Said.ALARM)]
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
    statuses = rows[events.is_said(rows, Said.STATUS)]
    battery = statuses["values"][:, 0]
    tables["statuses"] = pa.Table.from_arrays(
        [
            *said(statuses),
            pa.array(np.nan_to_num(battery).astype(np.int8), mask=np.isnan(battery)),
            pa.array(statuses["values"][:, 1].astype(np.int16)),
            pa.DictionaryArray.from_arrays(pa.array(np.zeros(statuses.size, np.int32)), [FIRMWARE]),
        ],
        schema=SCHEMAS["statuses"],
    )
    tables["labels"] = _labels(county, labels)
    return tables


def _labels(county: County, labels: Sequence[Label]) -> pa.Table:
    columns = {
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
