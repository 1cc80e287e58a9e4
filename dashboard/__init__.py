"""The web: server-rendered pages, live by server-sent events.

A page is a folder: its routes (`page.py`), what it asks (`queries.py`, `queries.sql`), its own words
(`words.py`) and its templates. Pages do not import each other. What several need has a file here, one noun
each.
"""

from importlib import resources
from pathlib import Path

ROOM = Path(str(resources.files("dashboard")))
"""The folder of all this."""
