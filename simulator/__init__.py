"""Seeded residents, routines, incidents and devices on a virtual clock.

Everything is a pure function of the seed and the day: any day of any county can be told without
telling the days before it, and telling it twice gives the same bytes. Only `publish`, `pour` and `export`
do I/O.
"""
