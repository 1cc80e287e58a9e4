"""How sure a fall is: a device has raised it, and the sensors around saw what came afterwards.

Walking into another room, lying down in bed or using a door within minutes makes it doubtful; nothing that
moves, where something would have been seen, makes it certain. The alarm itself was opened by the device at
once, with high priority; it stays so whatever is found here, and nobody waits for this.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import pandas as pd

from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority
from analytics import wording
from analytics.detectors import Assessment, Finding, Subject, SubjectKind
from analytics.evidence import chart, evidence
from analytics.history import History
from analytics.settings import AnalyticsSettings
from protocol.model import ActivityEvent, DeviceKind

OBSERVERS = frozenset(
    {DeviceKind.MOTION, DeviceKind.SMART_MATTRESS, DeviceKind.FALL_RADAR, DeviceKind.DOOR_CONTACT}
)
WALKS = frozenset({ActivityEvent.IN_BED, ActivityEvent.DOOR_OPEN, ActivityEvent.MEAL, ActivityEvent.CHECK_IN})
"""A person who lies on the floor cannot do these."""
SEEN_IN = frozenset({ActivityEvent.MOTION, ActivityEvent.PRESENCE})
"""A person who is seen in another room has walked there."""


class Grade(StrEnum):
    """How sure a fall is."""

    CERTAIN = "certain"
    LIKELY = "likely"
    DOUBTFUL = "doubtful"


_WORDS: Mapping[Grade, wording.Words] = {
    Grade.CERTAIN: wording.Words("基本确定跌倒", "Almost certainly a fall"),
    Grade.LIKELY: wording.Words("很可能跌倒", "Probably a fall"),
    Grade.DOUBTFUL: wording.Words("可能是误报，仍须确认", "May be a false alarm, but somebody must look"),
}


class Fall:
    """Grades alarms of kind `fall`; opens none."""

    name = "fall"
    kind = AlarmKind.FALL

    def __init__(self, settings: AnalyticsSettings) -> None:
        self._settings = settings

    def score(self, history: History) -> Assessment:
        """One finding with a grade for each active alarm of a fall that nobody has come for yet."""
        falls = history.falls(timedelta(seconds=self._settings.fall_window_s))
        if falls.empty:
            return Assessment(detector=self.name, kind=self.kind)
        table = falls.merge(self._walked(history, falls), on="alarm_id", how="left")
        signs = history.life_signs
        watched = signs.loc[signs["device_kind"].isin([str(kind) for kind in OBSERVERS]), "resident_id"]
        table["observed"] = table["resident_id"].isin(watched)
        # Two devices may tell of one fall; their alarms have the same subject only if they are one alarm.
        findings = tuple(self._finding(history.now, row) for row in table.to_dict("records"))
        return Assessment(detector=self.name, kind=self.kind, findings=findings)

    def _walked(self, history: History, falls: pd.DataFrame) -> pd.DataFrame:
        """alarm_id, walked_at, walked_event, moved_at: the first sign of somebody up, and of any movement."""
        after = history.after_falls(falls).merge(
            falls[["alarm_id", "raised_at", "room_id"]], on="alarm_id", suffixes=("", "_of_fall")
        )
        delay_s = (after["time"] - after["raised_at"]).dt.total_seconds()
        elsewhere = (
            after["event"].isin([str(event) for event in SEEN_IN])
            & after["room_id"].notna()
            & after["room_id_of_fall"].notna()
            & (after["room_id"] != after["room_id_of_fall"])
        )
        up = (after["event"].isin([str(event) for event in WALKS]) | elsewhere) & (
            delay_s <= self._settings.fall_walk_s
        )
        first_up = (
            after[up]
            .drop_duplicates("alarm_id")
            .rename(columns={"time": "walked_at", "event": "walked_event"})
        )
        moved = after.groupby("alarm_id")["time"].min().rename("moved_at").reset_index()
        return moved.merge(first_up[["alarm_id", "walked_at", "walked_event"]], on="alarm_id", how="left")

    def _finding(self, now: datetime, row: Mapping[Any, Any]) -> Finding:
        raised_at: datetime = row["raised_at"].to_pydatetime()
        lying_s = (now - raised_at).total_seconds()
        walked, moved = not pd.isna(row["walked_at"]), not pd.isna(row["moved_at"])
        if walked:
            grade = Grade.DOUBTFUL
        elif row["observed"] and not moved and lying_s >= self._settings.fall_grade_s:
            grade = Grade.CERTAIN
        else:
            grade = Grade.LIKELY
        why = self._why(grade, row, now)
        made = evidence(
            wording.sentence(
                f"{_WORDS[grade].zh_cn}：{why.zh_cn}请马上去看。",
                f"{_WORDS[grade].en}: {why.en} Please go and look now.",
            ),
            raised_at,
            now,
            seen={
                "movement_at": row["moved_at"].isoformat() if moved else None,
                "up_at": row["walked_at"].isoformat() if walked else None,
                "up_event": row["walked_event"] if walked else None,
            },
            expected={"movement_within_s": self._settings.fall_walk_s},
            chart=chart("activity", raised_at - timedelta(hours=1), raised_at + timedelta(hours=1)),
            grade=str(grade),
        )
        kind, _, number = str(row["subject"]).partition(":")
        return Finding(
            subject=Subject(SubjectKind(kind), int(number)),
            site_id=int(row["site_id"]),
            kind=self.kind,
            priority=AlarmPriority.HIGH,
            since=raised_at,
            evidence=made,
            grade=str(grade),
        )

    @staticmethod
    def _why(grade: Grade, row: Mapping[Any, Any], now: datetime) -> wording.Words:
        if grade is Grade.DOUBTFUL:
            at = wording.clock(row["walked_at"].to_pydatetime(), now)
            return wording.Words(
                f"报警后 {at} 又看到起身活动。", f"somebody was seen up and about at {at}, after the alarm."
            )
        if grade is Grade.CERTAIN:
            # The words of a grade stay as they are: they must not change with each minute.
            return wording.Words(
                "报警后所有传感器都没有看到活动。", "no sensor has seen any movement since the alarm."
            )
        return wording.Words("报警后没有看到起身。", "nobody has been seen getting up since the alarm.")
