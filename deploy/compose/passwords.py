"""Prints fresh passwords for `.env`, one for each of the servers' accounts. Standard library only."""

from __future__ import annotations

import secrets

NAMES = (
    "POSTGRES_PASSWORD",
    "WEB_PASSWORD",
    "INGEST_DATABASE_PASSWORD",
    "SERVICE_PASSWORD",
    "INGEST_MQTT_PASSWORD",
    "ALARMS_MQTT_PASSWORD",
    "PROVISIONER_MQTT_PASSWORD",
    "GATEWAYS_MQTT_PASSWORD",
)

if __name__ == "__main__":
    for name in NAMES:
        print(f"{name}={secrets.token_urlsafe(24)}")
