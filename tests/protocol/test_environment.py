"""Settings from the environment: an old name is never ignored, it is told how it is called now."""

import pytest

from alarms.settings import EscalationSettings
from ingest.settings import Settings as IngestSettings
from protocol.environment import RENAMED, SettingsError, read_settings
from tests.settings import settings_known

SERVERS = {"ANSHOU_DATABASE_URL": "postgresql://127.0.0.1/anshou", "ANSHOU_MQTT_URL": "mqtt://127.0.0.1"}


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_name_is_refused_with_the_new_one(old: str, new: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{old} is now called {new}\b"):
        read_settings(EscalationSettings, "alarms", {**SERVERS, old: "120"})


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_the_new_name_is_known_and_the_old_one_is_not(old: str, new: str) -> None:
    known = settings_known(["alarms", "care"])
    assert new in known
    assert old not in known


def test_an_old_name_stops_only_the_room_whose_setting_it_was() -> None:
    """An SOS must not wait for an escalation that does not start."""
    old = next(iter(RENAMED))
    assert read_settings(IngestSettings, "ingest", {**SERVERS, old: "120"}).database_url
