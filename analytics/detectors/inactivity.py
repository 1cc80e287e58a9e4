"""People of whom nothing has been seen for too long.

A person is seen by their own devices, by the sensors of their household or of their own room in a home, and
by measurements that somebody takes on purpose. A pulse from a wristband does not count: it goes on when the
person lies on the floor.

The limit is personal. A silence is too long when it is longer, by a margin, than every silence of the last
weeks in such a room at that time of day. For a new person, or one who is seldom seen, the limits of the
products hold: 4 hours in a bathroom, 10 hours elsewhere.

Some people are not judged:
in a home, a person who has left their own bed and room, because the sensors see nothing else;
a person whose site does not get through to the centre;
a person in bed at night. Without a sensor in the bed they are taken to be in bed at night, unless the last
sign came from a bathroom.

When staff arrive because of an alarm, they have seen the person. The silence is then counted from their
arrival, so that nobody is called to the same sleeper every hour. The arrival does not end the alarm; people
do. After three days without a sign, during which staff came, this detector says no more: the person is away,
or the sensors are blind. `absence` and `offline` say so, without calling twice a day.

While the system itself stood still (no pulses), it could see nobody. It is all the more right to go and look,
and the sentence says so: a caregiver who is told of 14 silent hours must know that 6 of them mean nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from alarms.kinds import AlarmKind
from alarms.model import AlarmPriority
from analytics import wording
from analytics.baselines import Baselines, is_night, personal_limit_s
from analytics.columns import datetimes
from analytics.detectors import Assessment, Finding, Subject, SubjectKind
from analytics.evidence import chart, evidence
from analytics.history import LEAVING, LIFE_SIGNS_S, History
from analytics.listening import Listening
from analytics.settings import AnalyticsSettings
from care.model import RoomKind, SiteKind
from protocol.calendar import HOME_TIME
from protocol.model import ActivityEvent, DeviceKind, PowerSource

OBSERVERS = frozenset(
    {DeviceKind.MOTION, DeviceKind.DOOR_CONTACT, DeviceKind.SMART_MATTRESS, DeviceKind.FALL_RADAR}
)
"""Devices that would have seen something if there had been anything to see."""

MEASURED = "measured"
"""Takes the place of an event when somebody measured."""


class Inactivity:
    """Alarms of kind `inactivity`."""

    name = "inactivity"
    kind = AlarmKind.INACTIVITY

    def __init__(self, settings: AnalyticsSettings, baselines: Baselines) -> None:
        self._settings = settings
        self._baselines = baselines

    def score(self, history: History) -> Assessment:
        """Residents silent for too long, and those who have been seen since."""
        people = self._judged(history)
        too_long = people["judged"] & (people["unseen_s"] >= people["limit_s"])
        # Nothing is seen for days, though staff came: `absence` tells of it, without calling twice a day.
        absent = (people["silence_s"] >= LIFE_SIGNS_S) & people["visited_at"].notna()
        silent = people[too_long & ~absent]
        seen = people[people["saw_something"] & (people["silence_s"] < people["limit_s"])]
        return Assessment(
            detector=self.name,
            kind=self.kind,
            findings=tuple(self._finding(history, row) for row in silent.to_dict("records")),
            fine={
                Subject(SubjectKind.RESIDENT, resident_id): last_at
                for resident_id, last_at in zip(
                    seen["resident_id"].tolist(), datetimes(seen["last_at"]), strict=True
                )
            },
        )

    def _judged(self, history: History) -> pd.DataFrame:
        """One row for each resident who has an observer: last activity, silence, limit, does it count?

        `silence_s`: since a sensor last saw them; `unseen_s`: since a sensor or somebody of the staff did.
        """
        residents = history.residents
        residents = residents[residents["site_kind"] != str(SiteKind.DAY_CENTRE)]
        people = residents.merge(_last_activity(history), on="resident_id")
        people["silence_s"] = (pd.Timestamp(history.now) - people["last_at"]).dt.total_seconds()
        visits = history.visits.set_index("resident_id")["visited_at"].reindex(people["resident_id"])
        people["visited_at"] = pd.Series(visits.array, people.index)
        people["visited_at"] = people["visited_at"].where(people["visited_at"] > people["last_at"])
        unvisited_s = (pd.Timestamp(history.now) - people["visited_at"]).dt.total_seconds()
        people["unseen_s"] = people["silence_s"].where(people["visited_at"].isna(), unvisited_s)
        in_bathroom = people["saw_something"] & (people["room_kind"] == str(RoomKind.BATHROOM))
        people["limit_s"], people["personal"] = self._limits(history, people, in_bathroom)
        in_home = people["site_kind"] == str(SiteKind.CARE_HOME)
        gone = people["sensed"].isna() | people["sensed"].isin([str(event) for event in LEAVING])
        out_of_sight = in_home & gone
        # Without a sensor in the bed nothing says that they are not asleep.
        bed = history.beds.set_index("resident_id")["in_bed"].reindex(people["resident_id"])
        asleep = bed.isna() | bed.eq(True)
        resting = self._is_night(history.now) & pd.Series(asleep.to_numpy(), people.index) & ~in_bathroom
        at = history.pulses.loc[history.pulses["heard"] > 0, "at"].to_numpy("datetime64[us]")
        people["missed_s"] = Listening(at).seconds_missed(
            people["last_at"].to_numpy("datetime64[us]"),
            np.datetime64(history.now.replace(tzinfo=None), "us"),
        )
        people["judged"] = self._gets_through(history, people) & ~out_of_sight & ~resting
        return people

    def _limits(
        self, history: History, people: pd.DataFrame, in_bathroom: "pd.Series[bool]"
    ) -> "tuple[pd.Series[float], pd.Series[bool]]":
        """After how long each silence is too long, and whether that is the person's own rhythm."""
        settings = self._settings
        usual = in_bathroom.map(
            {True: float(settings.inactivity_bathroom_s), False: float(settings.inactivity_s)}
        )
        night = is_night(people["last_at"].dt.tz_convert(HOME_TIME).dt.hour, settings)
        leaving = people["event"].isin([str(event) for event in LEAVING])
        keys = pd.MultiIndex.from_arrays([people["resident_id"], in_bathroom, leaving, night])
        rhythm = self._baselines.rhythm(history)["limit_s"].reindex(keys).to_numpy(float)
        known = people["saw_something"] & ~np.isnan(rhythm)
        own = personal_limit_s(rhythm, in_bathroom.to_numpy(np.bool_), settings)
        personal = pd.Series(own, people.index)
        return personal.where(known, usual) * history.tolerance(self.name, people["resident_id"]), known

    def _gets_through(self, history: History, people: pd.DataFrame) -> "pd.Series[bool]":
        """The residents whose site was heard lately. Of other sites silence means nothing."""
        policy, devices = history.policy, history.devices
        mains = devices["power"] == PowerSource.MAINS
        by_site = (
            devices.assign(mains=mains)
            .groupby("site_id")
            .agg(seen_at=("seen_at", "max"), mains=("mains", "any"), ever_seen=("ever_seen", "any"))
        )
        limit_s = by_site["mains"].map(
            {True: policy.device_silence_mains_s, False: policy.device_silence_battery_s}
        )
        silence_s = (pd.Timestamp(history.now) - by_site["seen_at"]).dt.total_seconds()
        heard = by_site["ever_seen"] & (silence_s <= limit_s)
        return people["site_id"].isin(heard.index[heard])

    def _is_night(self, now: datetime) -> bool:
        begins, ends = self._settings.rest_from_h, self._settings.rest_to_h
        hour = now.astimezone(HOME_TIME).hour
        return begins <= hour < ends if begins < ends else hour >= begins or hour < ends

    def _finding(self, history: History, row: Mapping[Any, Any]) -> Finding:
        since: datetime = row["last_at"].to_pydatetime()
        high = row["unseen_s"] >= row["limit_s"] * self._settings.inactivity_high_factor
        at, span = wording.clock(since, history.now), wording.span(row["silence_s"])
        limit = wording.span(row["limit_s"])
        room = wording.ROOMS.get(str(row["room_kind"]), wording.SOMEWHERE)
        place = {ActivityEvent.IN_BED: wording.BED, MEASURED: wording.MEASURING}.get(row["event"], room)
        if row["saw_something"]:
            seen_zh, seen_en = f"最后一次活动：{at}，{place.zh_cn}。", f"Last seen at {at}, {place.en}."
        else:
            seen_zh, seen_en = (
                f"自 {at} 起传感器没有记录到任何活动。",
                f"The sensors have seen nothing since {at}.",
            )
        if not pd.isna(row["visited_at"]):
            visited = wording.clock(row["visited_at"].to_pydatetime(), history.now)
            seen_zh += f"护理人员 {visited} 去看过。"
            seen_en += f" Staff went to look at {visited}."
        usual_zh, usual_en = (
            ("按本人平时，", ", by this person's own rhythm") if row["personal"] else ("", "")
        )
        missed_zh, missed_en = "", ""
        if row["missed_s"] >= history.policy.device_silence_mains_s:
            missed = wording.span(row["missed_s"])
            missed_zh = f"其中 {missed.zh_cn}系统停顿，可能漏看。"
            missed_en = f" For {missed.en} of that the system stood still and may have missed something."
        made = evidence(
            wording.sentence(
                f"已 {span.zh_cn}没有活动（{usual_zh}上限 {limit.zh_cn}）。{missed_zh}{seen_zh}"
                "请马上去看或打电话。",
                f"No activity for {span.en} (limit {limit.en}{usual_en}).{missed_en} {seen_en} "
                "Please look or call now.",
            ),
            since,
            history.now,
            seen={"silence_s": round(row["silence_s"])},
            expected={"silence_s": round(row["limit_s"])},
            chart=chart("activity", since - timedelta(hours=24), history.now),
            last_activity_at=since.isoformat() if row["saw_something"] else None,
            last_event=row["event"] if row["saw_something"] else None,
            room_kind=row["room_kind"] if row["saw_something"] else None,
            silence_s=round(row["silence_s"]),
            visited_at=None if pd.isna(row["visited_at"]) else row["visited_at"].isoformat(),
            missed_s=round(row["missed_s"]),
            limit_s=int(row["limit_s"]),
            personal=bool(row["personal"]),
        )
        return Finding(
            subject=Subject(SubjectKind.RESIDENT, int(row["resident_id"])),
            site_id=int(row["site_id"]),
            kind=self.kind,
            priority=AlarmPriority.HIGH if high else AlarmPriority.MEDIUM,
            since=since,
            evidence=made,
        )


def _last_activity(history: History) -> pd.DataFrame:
    """For each resident who has an observer: resident_id, last_at, event, room_kind, saw_something, sensed.

    Where nothing was seen, `last_at` is since when somebody has been looking, at most `LIFE_SIGNS_S` ago.
    `sensed` is the last event of a sensor: a measurement shows that somebody lives, but not that they came
    back to where the sensors see them.
    """
    signs = history.life_signs
    seen = signs[signs["time"].notna()][["resident_id", "time", "event", "room_kind"]]
    sensed = _last(seen)[["resident_id", "event"]].rename(columns={"event": "sensed"})
    measured = history.measurements.assign(event=MEASURED, room_kind=None)
    seen = pd.concat([seen, measured[list(seen.columns)]], ignore_index=True) if len(measured) else seen
    last = _last(seen).merge(sensed, on="resident_id", how="left")
    observers = signs[signs["device_kind"].isin([str(kind) for kind in OBSERVERS])]
    looking = observers.groupby("resident_id")["since"].min().rename("looking_since").reset_index()
    people = looking.merge(last, on="resident_id", how="left")
    people["saw_something"] = people["time"].notna()
    horizon = pd.Timestamp(history.now - timedelta(seconds=LIFE_SIGNS_S))
    looking_since = people["looking_since"].where(people["looking_since"] > horizon, horizon)
    people["last_at"] = people["time"].fillna(looking_since)
    return people.drop(columns=["time", "looking_since"])


def _last(seen: pd.DataFrame) -> pd.DataFrame:
    """The last of each resident's rows."""
    ordered = seen.sort_values(["resident_id", "time"], kind="stable")
    return ordered.drop_duplicates("resident_id", keep="last")
