"""The care record: people, places, devices, and who is where with which device."""
