"""The centre's authority: made once, for its owner's eyes, and the servers' certificate follows."""

import datetime
import stat
from pathlib import Path

import pytest
from cryptography import x509

from deploy import authority as authorities
from deploy.authority import Authority
from deploy.errors import DeployError


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(folder=tmp_path / "authority")
    made.prepare(["10.1.2.3", "centre.example"])
    return made


def test_it_is_made_once(authority: Authority) -> None:
    before = {path.name: path.read_bytes() for path in authority.folder.iterdir()}
    authority.prepare(["10.1.2.3", "centre.example"])
    assert {path.name: path.read_bytes() for path in authority.folder.iterdir()} == before
    modes = {stat.S_IMODE(path.stat().st_mode) for path in authority.folder.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(authority.folder.stat().st_mode) == 0o700


def test_a_server_bears_the_fixed_name_and_those_of_the_machine(authority: Authority) -> None:
    certificate = x509.load_pem_x509_certificate(authority.server_certificate.read_bytes())
    root = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    certificate.verify_directly_issued_by(root)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["10.1.2.3", "anshou-centre", "centre.example"]


def test_new_names_and_age_make_a_new_certificate_under_the_same_authority(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, first = authority.fingerprint(), authority.server_certificate.read_bytes()
    authority.prepare(["10.9.9.9"])
    second = authority.server_certificate.read_bytes()
    monkeypatch.setattr(authorities, "RENEW_BEFORE", datetime.timedelta(days=6 * 365))
    authority.prepare(["10.9.9.9"])
    assert len({first, second, authority.server_certificate.read_bytes()}) == 3
    assert authority.fingerprint() == root


@pytest.mark.parametrize("lost", ["server.pem", "server.key"])
def test_half_a_pair_is_made_anew(authority: Authority, lost: str) -> None:
    root = authority.fingerprint()
    (authority.folder / lost).unlink()
    authority.prepare(["10.1.2.3", "centre.example"])
    assert (authority.folder / lost).exists()
    assert authority.fingerprint() == root


def test_a_damaged_authority_is_never_replaced(authority: Authority) -> None:
    authority.certificate.write_text("rubbish")
    with pytest.raises(DeployError, match="cannot be read"):
        authority.prepare(["another"])
    assert authority.certificate.read_text() == "rubbish"
