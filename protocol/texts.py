"""Texts that people read, marked where they are written and translated where they are shown."""


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for marking a text that is translated later
    """Mark `text` for the catalogues (`dashboard/catalogues.py`)."""
    return text
