"""The data folder: private, with passwords that stay the same."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.local.data import DataFolder


def test_passwords_are_made_once_and_for_our_eyes_only(tmp_path: Path) -> None:
    folder = DataFolder.at(tmp_path / "data")
    folder.make()
    made = folder.passwords()
    assert folder.passwords() == made
    assert stat.S_IMODE((folder.root / "secrets.json").stat().st_mode) == 0o600
    secrets = [made.superuser, *made.roles.values(), *made.accounts.values()]
    assert len(set(secrets)) == len(secrets)
    assert DataFolder.at(tmp_path / "other").root != folder.root


def test_damaged_passwords_are_not_replaced(tmp_path: Path) -> None:
    folder = DataFolder.at(tmp_path)
    folder.make()
    (tmp_path / "secrets.json").write_text('{"superuser": "x"')
    with pytest.raises(DeployError, match="is damaged"):
        folder.passwords()
    assert (tmp_path / "secrets.json").read_text() == '{"superuser": "x"'


def test_two_cannot_start_from_one_folder(tmp_path: Path) -> None:
    folder = DataFolder.at(tmp_path)
    folder.make()
    with folder.locked(), pytest.raises(DeployError, match="already, by another"), folder.locked():
        pytest.fail("the second one got in")
    with folder.locked():
        pass  # once the first is gone, the next may


@pytest.mark.parametrize("name", ["x" * 120, "50%", "a ;b"])
def test_paths_that_the_supervisor_could_not_use_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DeployError, match="--data"):
        DataFolder.at(tmp_path / name).make()
    assert not (tmp_path / name).exists()
