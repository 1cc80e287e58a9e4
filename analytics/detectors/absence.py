"""People who hardly live where they are said to live: no sign of them for days, or a bed never slept in.

Only where a device that would see them works and is heard, so that a broken sensor accuses nobody. What is
stored is evidence with dates, so that somebody can go and see. Hospital and visits to family look the same.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority
from analytics import wording
from analytics.detectors import Assessment, Finding, Subject, SubjectKind
from analytics.evidence import chart, evidence
from analytics.history import History, Residents
from analytics.news2 import SIGNS
from care.model import CareCategory
from protocol.model import DeviceKind

_NOBODY = Residents(0, -1)
LOOK_DAYS = 45
"""How far back signs of life are looked for. A person without any is absent for at least so long."""
SUBSIDISED = frozenset({CareCategory.TEKUN_CENTRALISED, CareCategory.TEKUN_DISPERSED})
WOULD_SEE = frozenset(
    {
        DeviceKind.MOTION,
        DeviceKind.FALL_RADAR,
        DeviceKind.SMART_MATTRESS,
        DeviceKind.DOOR_CONTACT,
        DeviceKind.WRISTBAND,
    }
)


class Absence:
    """Alarms of kind `absence`."""

    name = "absence"
    kind = AlarmKind.ABSENCE

    def score(self, history: History) -> Assessment:
        """Residents without a sign of life for days, or with an unused bed. The others are fine."""
        policy, now = history.policy, history.now
        people = self._people(history)
        tolerance = history.tolerance(self.name, people["resident_id"])
        gone_days = (pd.Timestamp(now) - people["last_at"]).dt.total_seconds() / 86_400
        unused_days = (pd.Timestamp(now) - people["bed_at"]).dt.total_seconds() / 86_400
        gone = people["heard"] & (gone_days >= policy.absence_days * tolerance)
        unused = people["bed_heard"] & (unused_days >= policy.bed_unused_nights * tolerance)
        red = gone & people["subsidised"] & (gone_days >= policy.absence_red_days * tolerance)
        people = people.assign(gone=gone, gone_days=gone_days, unused_days=unused_days, red=red)
        found = people[gone | unused]
        fine = people[(gone_days < policy.absence_days * tolerance) & ~unused]
        return Assessment(
            detector=self.name,
            kind=self.kind,
            findings=tuple(self._finding(history, row) for row in found.to_dict("records")),
            fine={
                Subject(SubjectKind.RESIDENT, resident_id): at.to_pydatetime()
                for resident_id, at in zip(fine["resident_id"].tolist(), fine["last_at"], strict=True)
            },
        )

    def _people(self, history: History) -> pd.DataFrame:
        """One row for each resident: last_at, bed_at, heard, bed_heard, subsidised, seen."""
        begin = history.now - timedelta(days=LOOK_DAYS)
        parts = [history.last_signs(part, begin) for part in history.slices()]
        people = pd.concat(parts, ignore_index=True) if parts else history.last_signs(_NOBODY, begin)
        horizon = pd.Timestamp(begin)
        # Rollups are an hour behind; what is newer is in the last signs of life and the latest state.
        newest = _of(people, history.life_signs.groupby("resident_id")["time"].max())
        latest = history.latest_signs.set_index("resident_id")[[f"{sign}_at" for sign in SIGNS]]
        measured = _of(people, latest.where(latest <= pd.Timestamp(history.now)).max(axis=1))
        signs = pd.concat([people["active_at"], people["measured_at"], newest, measured], axis=1)
        people["seen"] = signs.notna().any(axis=1)
        since = people["since"].where(people["since"] > horizon, horizon)
        last = pd.concat([signs, since], axis=1).max(axis=1)
        people["last_at"] = last.astype("datetime64[us, UTC]")
        devices = history.devices
        silence_s = (pd.Timestamp(history.now) - devices["seen_at"]).dt.total_seconds()
        # Whatever it runs on: over days the shorter limit of mains says nothing.
        heard = devices["ever_seen"].astype(bool) & (silence_s <= history.policy.device_silence_battery_s)
        heard_ids = devices.loc[heard, "device_id"]
        seers = history.life_signs
        seers = seers[seers["device_id"].isin(heard_ids)]
        would_see = seers[seers["device_kind"].isin([str(kind) for kind in WOULD_SEE])]
        mattresses = seers[seers["device_kind"] == str(DeviceKind.SMART_MATTRESS)]
        people["heard"] = people["resident_id"].isin(would_see["resident_id"])
        people["bed_heard"] = people["resident_id"].isin(mattresses["resident_id"])
        beds = history.beds.set_index("resident_id")
        lies = _of(people, beds["in_bed"]).eq(True)
        known_at = _of(people, beds["in_bed_at"])
        watched_since = _of(people, mattresses.groupby("resident_id")["since"].max())
        bed_at = known_at.fillna(watched_since).fillna(people["last_at"])
        people["bed_at"] = bed_at.where(~lies, pd.Timestamp(history.now)).astype("datetime64[us, UTC]")
        people["subsidised"] = people["category"].isin([str(category) for category in SUBSIDISED])
        return people

    def _finding(self, history: History, row: Mapping[Any, Any]) -> Finding:
        policy, now = history.policy, history.now
        since: datetime = (row["last_at"] if row["gone"] else row["bed_at"]).to_pydatetime()
        days = int(row["gone_days"] if row["gone"] else row["unused_days"])
        at = wording.clock(since, now)
        if row["gone"]:
            seen_zh, seen_en = (
                (f"最后一次生活迹象在 {at}", f"the last sign of life was at {at}")
                if row["seen"]
                else (f"{at} 以来没有生活迹象", f"there has been no sign of life since {at}")
            )
            sentence = wording.sentence(
                f"已 {days} 天没有生活迹象：{seen_zh}，而设备工作正常。可能住院或外出，请核实是否在住。",
                f"No sign of life for {days} days: {seen_en}, though the devices work. May be in hospital or "
                "away: please check whether the person lives here.",
            )
        else:
            sentence = wording.sentence(
                f"床垫工作正常，但已 {days} 夜无人睡过这张床。请核实床位和入住情况。",
                f"The mattress works, but nobody has slept in this bed for {days} nights. "
                "Please check the bed and who lives here.",
            )
        made = evidence(
            sentence,
            since,
            now,
            seen={"days": days, "last_sign_at": since.isoformat() if row["seen"] else None},
            expected={"days": policy.absence_days if row["gone"] else policy.bed_unused_nights},
            chart=chart("activity", since - timedelta(days=7), now),
            subsidised=bool(row["subsidised"]),
        )
        return Finding(
            subject=Subject(SubjectKind.RESIDENT, int(row["resident_id"])),
            site_id=int(row["site_id"]),
            kind=self.kind,
            priority=AlarmPriority.MEDIUM if row["red"] else AlarmPriority.LOW,
            since=since,
            evidence=made,
        )


def _of(people: pd.DataFrame, by_resident: "pd.Series[Any]") -> "pd.Series[Any]":
    """For each of `people` their value in a series by resident id; missing without one."""
    return pd.Series(by_resident.reindex(people["resident_id"]).array, people.index)
