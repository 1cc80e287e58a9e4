"""The templates as files: what they render is tested with their pages."""

from dashboard import ROOM

LINE_LENGTH_MAX = 160


def test_no_line_of_a_template_is_longer_than_a_screen_is_wide() -> None:
    templates = [path for path in ROOM.rglob("*.html") if "vendor" not in path.parts]
    assert templates
    long = [
        f"{path.relative_to(ROOM)}:{number}: {len(line)} characters"
        for path in templates
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if len(line) > LINE_LENGTH_MAX
    ]
    assert long == []
