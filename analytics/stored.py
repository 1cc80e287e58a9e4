"""What was learnt at night, as the detectors of the day ask for it.

Takes the live versions from the database, and notices when another one becomes live. Where no version can be
used (none yet, all too old, damaged, or learnt with other settings), what is usual is learnt anew from the
history, as without any training.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

import pandas as pd

from analytics import features, versions
from analytics.baselines import HistoryBaselines, VitalBaseline, residents_in
from analytics.history import History, Residents
from analytics.learnt import (
    RESTLESSNESS,
    RHYTHM,
    ROUTINE,
    VITALS,
    Model,
    RareHabits,
    RestlessHomes,
    SilenceRhythm,
    VitalUsual,
)
from analytics.models.isolation import RareDays
from analytics.models.restlessness import RestlessDays
from analytics.settings import AnalyticsSettings

log = logging.getLogger(__name__)

_Prepared = TypeVar("_Prepared")


class StoredBaselines:
    """`Baselines`, `routine.PooledHabits` and `restlessness.PooledRestlessness`, from the live versions."""

    def __init__(self, settings: AnalyticsSettings) -> None:
        self._anew = HistoryBaselines(settings)
        self._vitals = _InUse(VITALS, settings, _vitals)
        self._rhythm = _InUse(RHYTHM, settings, _rhythm)
        self._rare_days = _InUse(ROUTINE, settings, _rare_days)
        self._restless_days = _InUse(RESTLESSNESS, settings, _restless_days)

    def vitals(self, history: History, part: Residents) -> VitalBaseline:
        """What is usual in the signs of the residents in `part`; unknown people have nothing."""
        stored = self._vitals.at(history)
        if stored is None:
            return self._anew.vitals(history, part)
        return stored.of(residents_in(history, part))

    def rhythm(self, history: History) -> pd.DataFrame:
        """What is usual in everybody's silences, see `HistoryBaselines.rhythm`."""
        stored = self._rhythm.at(history)
        return self._anew.rhythm(history) if stored is None else stored

    def rare_days(self, history: History) -> RareDays | None:
        """Which days of habits are rare among those of everybody; None: not learnt."""
        return self._rare_days.at(history)

    def restless_days(self, history: History) -> RestlessDays | None:
        """How restless days are in households of people who live alone; None: not learnt."""
        return self._restless_days.at(history)


class _InUse(Generic[_Prepared]):
    """The version of one name that is in use; read again when another one becomes live, and each day."""

    def __init__(self, name: str, settings: AnalyticsSettings, prepare: Callable[[Model], _Prepared]) -> None:
        self._name = name
        self._settings = settings
        self._prepare = prepare
        self._read_for: tuple[int | None, datetime] | None = None
        self._prepared: _Prepared | None = None

    def at(self, history: History) -> _Prepared | None:
        """What it says at `history.now`; None: there is no version to be used then."""
        wanted = (versions.live_id(history.connection, self._name), features.midnight(history.now))
        if wanted != self._read_for:
            loaded = versions.load(history.connection, self._name, self._settings, history.now)
            self._prepared = None if loaded is None else self._prepare(loaded.model)
            self._read_for = wanted
            if loaded is None:
                log.info("%s: no stored version can be used; learnt anew from the history", self._name)
            else:
                log.info("%s: version %d is in use", self._name, loaded.version)
        return self._prepared


def _vitals(model: Model) -> VitalUsual:
    assert isinstance(model, VitalUsual), "versions.load gives the kind of its name"
    return model


def _rhythm(model: Model) -> pd.DataFrame:
    assert isinstance(model, SilenceRhythm), "versions.load gives the kind of its name"
    return model.table()


def _rare_days(model: Model) -> RareDays:
    assert isinstance(model, RareHabits), "versions.load gives the kind of its name"
    return model.days


def _restless_days(model: Model) -> RestlessDays:
    assert isinstance(model, RestlessHomes), "versions.load gives the kind of its name"
    return model.days
