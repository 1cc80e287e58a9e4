"""The care record: people, places, devices, alarms, deadlines, and the database they live in."""
