"""What charts are given: the right source for each range, home's days, and never too much."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from alarms.kinds import AlarmKind
from dashboard.curves import DAY_MS, HOUR_MS, POINTS_MAX
from database.connections import Connection
from protocol.signs import SIGNS
from tests.care.conftest import County
from tests.dashboard.past import SILENT_DAYS, fill_past
from tests.dashboard.ward import Ward


@pytest.fixture
def past(owner: Connection, ward: Ward) -> int:
    """The first resident, with a past."""
    with owner.transaction():
        ward.fill_day(owner)
        fill_past(owner, ward.residents[0].id, ward.mattresses[0].id, now=ward.now)
    return ward.residents[0].id


def chart(client: TestClient, resident_id: int, query: str = "") -> dict[str, Any]:
    answer = client.get(f"/api/residents/{resident_id}/signs?{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def numbers(data: dict[str, Any]) -> int:
    factor = 3 if data["width_ms"] else 1
    return factor * sum(len(curve) for curve in data["signs"].values()) + len(data["events"])


@pytest.mark.parametrize(
    ("range_", "days", "width_ms"),
    [("24h", 1, 0), ("7d", 7, HOUR_MS), ("90d", 90, HOUR_MS), ("1y", 365, DAY_MS)],
)
def test_each_range_has_its_source(
    caregiver: TestClient, past: int, range_: str, days: int, width_ms: int
) -> None:
    data = chart(caregiver, past, f"range={range_}")
    assert data["to"] - data["from"] == days * DAY_MS
    assert data["width_ms"] == width_ms
    assert numbers(data) <= POINTS_MAX
    assert set(data["signs"]) == set(SIGNS)
    pulse = data["signs"]["hr"]
    assert {len(point) for point in pulse} == {4 if width_ms else 2}
    assert all(data["from"] - max(width_ms, HOUR_MS) <= point[0] <= data["to"] for point in pulse)
    if width_ms:
        assert data["signs"]["weight"], "every sign is there"
        assert all(low <= mean <= high for _, mean, low, high in pulse if mean is not None)
        assert data["days"]
        assert data["events"] == []
    else:
        assert data["events"]
        assert data["days"] == []


@pytest.mark.parametrize(("range_", "width_ms"), [("90d", HOUR_MS), ("1y", DAY_MS)])
def test_a_week_of_silence_is_one_gap(caregiver: TestClient, past: int, range_: str, width_ms: int) -> None:
    pulse = chart(caregiver, past, f"range={range_}")["signs"]["hr"]
    gaps = [number for number, point in enumerate(pulse) if point[1] is None]
    assert len(gaps) == 1
    before, after = pulse[gaps[0] - 1][0], pulse[gaps[0] + 1][0]
    assert after - before == len(SILENT_DAYS) * DAY_MS + width_ms


def test_days_are_those_of_the_home(caregiver: TestClient, past: int) -> None:
    data = chart(caregiver, past, "range=1y")
    at = datetime.fromtimestamp(data["signs"]["hr"][-1][0] / 1000, UTC)
    assert (at.hour, at.minute) == (16, 0), "midnight in Asia/Shanghai"
    assert datetime.fromtimestamp(data["days"][-1]["at"] / 1000, UTC).hour == 16


def test_old_alarms_whose_readings_are_gone_show_hours(caregiver: TestClient, past: int) -> None:
    until = (datetime.now(UTC) - timedelta(days=20)).isoformat().replace("+00:00", "Z")
    data = chart(caregiver, past, f"hours=4&until={until}")
    assert data["width_ms"] == HOUR_MS
    assert 4 <= len(data["signs"]["hr"]) <= 6


def test_more_readings_than_a_chart_draws(caregiver: TestClient, owner: Connection, ward: Ward) -> None:
    resident, device = ward.residents[1], ward.mattresses[1]
    owner.execute(
        "INSERT INTO readings.vitals (time, device_id, resident_id, hr, rr, spo2)"
        " SELECT time, %s, %s, 70, 16, 97 FROM generate_series("
        "   now() - interval '23 hours', now() - interval '1 minute', interval '5 seconds') AS time",
        (device.id, resident.id),
    )
    owner.execute(
        "INSERT INTO readings.activity (time, device_id, resident_id, event)"
        " SELECT time, %s, %s, 'motion' FROM generate_series("
        "   now() - interval '23 hours', now() - interval '1 minute', interval '3 seconds') AS time",
        (device.id, resident.id),
    )
    data = chart(caregiver, resident.id)
    assert data["width_ms"] == 60_000
    assert numbers(data) <= POINTS_MAX
    now_ms = datetime.now(UTC).timestamp() * 1000
    assert now_ms - data["signs"]["hr"][-1][0] < 10 * 60_000, "the latest are never cut off"
    assert now_ms - data["events"][-1]["at"] < 10 * 60_000
    assert data["events_from"] > data["from"], "it is said since when"


def evidence_of(source: str, sign: str | None, hours: float, **bounds: float) -> dict[str, object]:
    now = datetime.now(UTC)
    made = {"source": source, "from": (now - timedelta(hours=hours)).isoformat(), "to": now.isoformat()}
    return {"chart": {**made, **({"sign": sign} if sign else {}), **bounds}}


@pytest.mark.parametrize(("hours", "width_ms"), [(12, 0), (24 * 20, HOUR_MS), (24 * 200, DAY_MS)])
def test_the_evidence_of_an_alarm_is_drawn(
    caregiver: TestClient, owner: Connection, ward: Ward, past: int, hours: float, width_ms: int
) -> None:
    alarm = ward.alarm(
        owner, 0, AlarmKind.HEALTH_CHANGE, evidence=evidence_of("vitals", "hr", hours, low=62, high=76)
    )
    data = caregiver.get(f"/api/alarms/{alarm.id}/evidence").json()
    assert (data["sign"], data["low"], data["high"], data["width_ms"]) == ("hr", 62, 76, width_ms)
    assert set(data["signs"]) == {"hr"}
    assert len(data["signs"]["hr"]) > 100


def test_activity_and_batteries_are_drawn(caregiver: TestClient, owner: Connection, ward: Ward) -> None:
    ward.fill_day(owner)
    owner.execute(
        "INSERT INTO readings.device_status (time, device_id, online, battery)"
        " SELECT now() - n * interval '1 day', %s, true, 20 + n FROM generate_series(1, 30) AS n",
        (ward.mattresses[0].id,),
    )
    quiet = ward.alarm(owner, 0, AlarmKind.INACTIVITY, evidence=evidence_of("activity", None, 12))
    data = caregiver.get(f"/api/alarms/{quiet.id}/evidence").json()
    assert data["sign"] is None
    assert len(data["events"]) > 3
    empty = ward.alarm(
        owner, 0, AlarmKind.LOW_BATTERY, evidence=evidence_of("device", "battery", 800, low=20)
    )
    data = caregiver.get(f"/api/alarms/{empty.id}/evidence").json()
    assert [point[1] for point in data["signs"]["battery"]] == list(range(50, 20, -1))


def test_without_evidence_there_is_nothing_to_draw(
    caregiver: TestClient, owner: Connection, county: County, ward: Ward
) -> None:
    alarm = ward.alarm(owner, 0, AlarmKind.VITALS)
    assert caregiver.get(f"/api/alarms/{alarm.id}/evidence").status_code == 404
    of_site = ward.alarm(owner, 1, AlarmKind.OUTBREAK, evidence=evidence_of("vitals", "temp", 12))
    owner.execute("UPDATE care.alarm SET resident_id = NULL WHERE id = %s", (of_site.id,))
    assert caregiver.get(f"/api/alarms/{of_site.id}/evidence").status_code == 404
    page = caregiver.get(f"/alarms/{of_site.id}")
    assert page.status_code == 200
    assert "data-chart" not in page.text
