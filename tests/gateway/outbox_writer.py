"""A gateway's disk half as a process to be killed: keeps, seals, forgets, and tells on stdout what is kept.

Each line is written after the outbox has returned, so all that is told must be there after a kill:
`kept FIRST LAST`, `sealed ID`, and before forgetting `forgetting ID COUNT`.
"""

import random
import sys
from pathlib import Path

from gateway.clock import BUILT_MS, Clock
from gateway.outbox import Entry, Outbox
from protocol.model import AlarmSignal, Message, SignalKind, VitalSigns


def message(number: int) -> Message:
    """The same for the same number, and told apart by its time."""
    if number % 10 == 9:
        return AlarmSignal(kind=SignalKind.SOS, ts_ms=BUILT_MS + number, signal_id=str(number))
    return VitalSigns(hr=60 + number % 40, ts_ms=BUILT_MS + number)


def main(folder: Path, first: int, seed: int) -> None:
    chance = random.Random(seed)
    clock = Clock(synchronised=lambda: True)
    outbox = Outbox(folder, clock)
    number = first
    print("open", flush=True)
    while True:
        count = chance.randint(1, 40)
        entries = [Entry("k", "band", message(number + n), clock.now()) for n in range(count)]
        outbox.keep(entries)
        print("kept", number, number + count - 1, flush=True)
        number += count
        if chance.random() < 0.3:
            batch = outbox.seal(50)
            if batch is not None:
                print("sealed", batch.batch_id, flush=True)
        if chance.random() < 0.2:
            for batch in outbox.sealed()[:2]:
                print("forgetting", batch.batch_id, flush=True)
                outbox.forget(batches=[batch.batch_id])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
