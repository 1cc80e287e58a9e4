"""Texts that people read, marked where they stand; pages translate them later (`dashboard.catalogues`)."""


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for marking a text that is translated later
    """Mark `text` for the catalogues."""
    return text
