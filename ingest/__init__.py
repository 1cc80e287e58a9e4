"""MQTT to database, and nothing else: every message is committed before the broker may forget it."""
