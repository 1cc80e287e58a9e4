"""The demonstration county: gives the simulator's numbers invented names and a place in the care record."""
