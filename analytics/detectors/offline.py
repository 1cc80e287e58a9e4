"""Devices, and whole sites, from which nothing is heard any more.

Silence is counted only through minutes in which somebody was heard (the pulses): while the broker, ingest
or analytics itself was away, nobody could be heard and no device is blamed. A silence that lasts although
analytics ran is believed after a longer time even when nothing at all comes from the county, because then
every desk must know that it sees nothing. When a whole site is silent, or much of it, that is one finding
and not fifty; the time of that outage is not held against its devices afterwards.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from alarms.kinds import KINDS, AlarmKind
from analytics import wording
from analytics.columns import datetimes
from analytics.detectors import Assessment, Finding, Subject, SubjectKind
from analytics.evidence import evidence
from analytics.history import History
from analytics.listening import Listening, Times
from analytics.settings import AnalyticsSettings
from protocol.model import DeviceKind

COLLAPSE_COUNT_MIN = 5
"""So many silent devices of one site, if they are at least `COLLAPSE_SHARE_MIN` of it, are one finding."""
COLLAPSE_SHARE_MIN = 0.5
NAMES_COUNT_MAX = 20
"""The evidence names so many silent devices of a site and counts the rest."""


class Offline:
    """Alarms of kind `device_offline`."""

    name = "offline"
    kind = AlarmKind.DEVICE_OFFLINE

    def __init__(self, settings: AnalyticsSettings) -> None:
        self._settings = settings

    def score(self, history: History) -> Assessment:
        """Silent devices and sites, and those that speak."""
        devices = self._judged(history)
        sites = self._sites(devices)
        silent_sites = sites[sites["silent"]]
        alone = devices[devices["overdue"] & ~devices["site_id"].isin(silent_sites.index)]
        findings = [self._site_finding(history, site_id, devices) for site_id in silent_sites.index.tolist()]
        findings += [self._device_finding(history, row) for row in alone.to_dict("records")]
        heard = devices[devices["heard"] | devices["retired"]]
        fine = {
            Subject(SubjectKind.DEVICE, device_id): min(seen_at, history.now)
            for device_id, seen_at in zip(
                heard["device_id"].tolist(), datetimes(heard["seen_at"]), strict=True
            )
        }
        speaking = sites[sites["heard"] & ~sites["silent"]]
        for site_id, seen_at in zip(speaking.index.tolist(), datetimes(speaking["seen_at"]), strict=True):
            fine[Subject(SubjectKind.SITE, site_id)] = min(seen_at, history.now)
        return Assessment(detector=self.name, kind=self.kind, findings=tuple(findings), fine=fine)

    def _judged(self, history: History) -> pd.DataFrame:
        """The devices with what the rules below ask.

        `heard`: within its limit `limit_s`; `late`: its silence is too long; `overdue`: so even without the
        last outage of its whole site; `quick`: it should speak every few minutes; `heard_quick`: it did.
        """
        settings, now = self._settings, np.datetime64(history.now.replace(tzinfo=None), "us")
        devices = history.devices.copy()
        devices["limit_s"] = devices["silent_after_s"]
        seen = devices["seen_at"].to_numpy("datetime64[us]")
        end = np.full(len(devices), now)
        at = history.pulses["at"].to_numpy("datetime64[us]")
        listening = Listening(at[history.pulses["heard"].to_numpy(np.int64) > 0])
        running = Listening(at)
        listened_s, ran_s = listening.seconds_after(seen, end), running.seconds_after(seen, end)
        limit_s = devices["limit_s"].to_numpy(float)
        wall_s = (now - seen).astype("timedelta64[us]").astype(np.int64) / 1e6
        devices["heard"] = wall_s <= limit_s
        late = (listened_s >= limit_s) | (ran_s >= limit_s + settings.offline_hold_back_s)
        devices["late"] = late & ~devices["heard"] & ~devices["retired"]
        devices["late_gateway"] = devices["late"] & (devices["kind"] == str(DeviceKind.GATEWAY))
        quick_s = history.policy.device_silence_mains_s
        devices["quick"] = limit_s <= quick_s
        devices["heard_quick"] = wall_s <= quick_s
        began, ended = self._outage(history, devices, now)
        outage_listened_s = listening.seconds_after(np.maximum(began, seen), ended)
        outage_ran_s = running.seconds_after(np.maximum(began, seen), ended)
        net_late = (listened_s - outage_listened_s >= limit_s) | (
            ran_s - outage_ran_s >= limit_s + settings.offline_hold_back_s
        )
        devices["overdue"] = devices["late"] & net_late
        return devices

    @staticmethod
    def _outage(history: History, devices: pd.DataFrame, now: np.datetime64) -> tuple[Times, Times]:
        """Begin and end of the last outage of each device's site; an empty span where there was none."""
        outages = history.site_outages.set_index("site_id").reindex(devices["site_id"])
        began = outages["began_at"].to_numpy("datetime64[us]")
        ended = outages["ended_at"].to_numpy("datetime64[us]")
        none = np.isnat(began)
        return np.where(none, now, began), np.where(np.isnat(ended), now, ended)

    def _sites(self, devices: pd.DataFrame) -> pd.DataFrame:
        """One row for each site: `heard` (it has spoken lately), `silent` (one finding for all of it)."""
        used = devices[~devices["retired"]]
        table = used.groupby("site_id").agg(
            devices=("device_id", "size"),
            late=("late", "sum"),
            late_gateway=("late_gateway", "any"),
            quick=("quick", "any"),
            heard_quick=("heard_quick", "any"),
            heard_at_all=("heard", "any"),
            seen_at=("seen_at", "max"),
        )
        # Where something runs on mains, somebody speaks every few minutes; elsewhere a day may pass.
        heard = table["heard_quick"].where(table["quick"], table["heard_at_all"])
        mute = ~heard & ((table["late"] >= 2) | (table["late_gateway"] & (table["devices"] >= 2)))
        much = (table["late"] >= COLLAPSE_COUNT_MIN) & (
            table["late"] >= COLLAPSE_SHARE_MIN * table["devices"]
        )
        return table.assign(heard=heard, silent=mute | much)

    def _site_finding(self, history: History, site_id: int, devices: pd.DataFrame) -> Finding:
        of_site = devices[(devices["site_id"] == site_id) & ~devices["retired"]]
        late = of_site[of_site["late"]]
        since: datetime = late["seen_at"].max().to_pydatetime()
        silence_s = (history.now - since).total_seconds()
        at, span = wording.clock(since, history.now), wording.span(silence_s)
        count, total = len(late), len(of_site)
        made = evidence(
            wording.sentence(
                f"本站点自 {at} 起已 {span.zh_cn}没有收到 {count} 台设备的消息（共 {total} 台），"
                "可能断电、断网或网关故障；期间的报警可能无法送达，请安排人员查看。",
                f"Nothing heard from {count} of this site's {total} devices since {at} ({span.en}): power, "
                "network or gateway may have failed. Alarms may not get through meanwhile: "
                "send somebody to look.",
            ),
            since,
            history.now,
            seen={"devices_silent": count},
            expected={"devices_silent": 0},
            last_seen_at=since.isoformat(),
            silence_s=round(silence_s),
            devices_silent=count,
            devices=total,
            device_names=late["name"].head(NAMES_COUNT_MAX).tolist(),
        )
        return self._finding(Subject(SubjectKind.SITE, site_id), site_id, since, made)

    def _device_finding(self, history: History, row: Mapping[Any, Any]) -> Finding:
        since: datetime = row["seen_at"].to_pydatetime()
        silence_s = (history.now - since).total_seconds()
        at, span = wording.clock(since, history.now), wording.span(silence_s)
        limit = wording.span(row["limit_s"])
        device = wording.device(row["kind"], row["name"])
        place = row["room"] if isinstance(row["room"], str) else None
        place_zh, place_en = (f"{place} 的", f" in {place}") if place else ("", "")
        never_zh, never_en = (
            ("", "") if row["ever_seen"] else ("（添加后从未有消息）", " (never since it was added)")
        )
        made = evidence(
            wording.sentence(
                f"{place_zh}{device.zh_cn}自 {at} 起已 {span.zh_cn}没有消息{never_zh}，"
                f"正常应在 {limit.zh_cn}内有消息；请检查电源、电池和网络。",
                f"The {device.en}{place_en} has been silent since {at} ({span.en}){never_en}; it should be "
                f"heard at least every {limit.en}. Check its power, battery and network.",
            ),
            since,
            history.now,
            seen={"silence_s": round(silence_s)},
            expected={"silence_s": int(row["limit_s"])},
            last_seen_at=since.isoformat(),
            ever_seen=bool(row["ever_seen"]),
            silence_s=round(silence_s),
            limit_s=int(row["limit_s"]),
            power=row["power"],
            device=row["name"],
        )
        subject = Subject(SubjectKind.DEVICE, int(row["device_id"]))
        return self._finding(subject, int(row["site_id"]), since, made)

    def _finding(self, subject: Subject, site_id: int, since: datetime, made: dict[str, Any]) -> Finding:
        return Finding(
            subject=subject,
            site_id=site_id,
            kind=self.kind,
            priority=KINDS[self.kind].priority,
            since=since,
            evidence=made,
        )
