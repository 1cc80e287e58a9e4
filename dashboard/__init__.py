"""The web: desk, residents, alarms, overview; server-rendered, live by server-sent events."""
