"""How those who write the county tell how far they are."""

from collections.abc import Callable

Step = Callable[[str, int, int], None]
"""Told what is being written, how much of it is done, and of how much."""
