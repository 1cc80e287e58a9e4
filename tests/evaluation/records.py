"""A small invented record of homes: what is in it is known, so that what is found can be judged."""

import numpy as np
import pandas as pd

from evaluation.tihm import Tihm

FIRST_DAY = pd.Timestamp("2019-04-01")
DAYS = 56
PERSONS = ("ann", "bob", "cem", "dot", "eva", "fay")
AGITATED = PERSONS[:3]
"""Agitated every fifth day from the tenth on, and on the last; the others never."""
PLACES = ("bedroom", "kitchen", "lounge")


def agitated(person: str, day: int) -> bool:
    """Whether the invented team verified agitation of this person on this day, counted from 0."""
    return person in AGITATED and day >= 10 and (day % 5 == PERSONS.index(person) or day == DAYS - 1)


def homes(seed: int = 1) -> Tihm:
    """Six homes: on agitated days people change rooms three times as often. A reading of each sign a day."""
    random = np.random.default_rng(seed)
    events, readings, alerts = [], [], []
    for person in PERSONS:
        for number in range(DAYS):
            day = FIRST_DAY + pd.Timedelta(days=number)
            count = int(random.poisson(60 if agitated(person, number) else 20)) + 1
            for second in random.integers(0, 86_400, count):
                place = str(random.choice(PLACES))
                events.append((person, place, day + pd.Timedelta(seconds=int(second))))
            for sign, value in (("sbp", 130.0), ("dbp", 80.0), ("hr", 70.0)):
                readings.append((person, sign, day + pd.Timedelta(hours=9), value + random.normal(0, 3)))
            if agitated(person, number):
                alerts.append((person, "agitation", day + pd.Timedelta(hours=18)))
    return Tihm(
        events=pd.DataFrame(events, columns=["person", "place", "time"]),
        readings=pd.DataFrame(readings, columns=["person", "sign", "time", "value"]),
        alerts=pd.DataFrame(alerts, columns=["person", "kind", "time"]),
    )
