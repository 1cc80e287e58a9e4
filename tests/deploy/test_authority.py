"""The centre's authority: made once, for its owner's eyes, and the servers' certificate follows."""

import contextlib
import datetime
import ssl
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


def test_an_authority_signs_for_its_own_names_and_private_networks_only(authority: Authority) -> None:
    root = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    bound = root.extensions.get_extension_for_class(x509.NameConstraints)
    assert bound.critical
    valid = root.not_valid_after_utc - root.not_valid_before_utc
    assert valid <= datetime.timedelta(days=10 * 365 + 1)
    for name in (
        "anshou-centre",
        "centre.example",
        "a.centre.example",
        "10.99.1.1",
        "192.168.7.7",
        "127.0.0.1",
    ):
        assert authority.may_sign_for(name), name
    for name in ("example.com", "bank.example", "notcentre.example", "8.8.8.8", "localhost.evil"):
        assert not authority.may_sign_for(name), name


def test_openssl_believes_it_for_those_and_for_no_other(authority: Authority, tmp_path: Path) -> None:
    """By what gateways and browsers check with, not by our own reading of it."""
    accepted = {}
    for name in ("anshou-centre", "centre.example", "10.1.2.3", "bank.example", "8.8.8.8"):
        authority._make_server([name])
        accepted[name] = _is_believed(authority, name)
    assert accepted == {
        "anshou-centre": True,
        "centre.example": True,
        "10.1.2.3": True,
        "bank.example": False,
        "8.8.8.8": False,
    }


def _is_believed(authority: Authority, name: str) -> bool:
    """A handshake in memory: a client that knows this authority, and a server with its certificate."""
    client = ssl.create_default_context(cafile=str(authority.certificate))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(authority.server_certificate, authority.server_key)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    done = [False, False]
    for _ in range(10):
        for number, side in enumerate(sides):
            with contextlib.suppress(ssl.SSLWantReadError):
                try:
                    side.do_handshake()
                except ssl.SSLError as error:
                    if isinstance(error, ssl.SSLWantReadError):
                        raise
                    return False
                done[number] = True
    assert all(done), "the handshake does not come to an end"
    return True


def test_a_name_that_it_may_not_sign_for_is_left_out(authority: Authority) -> None:
    root = authority.fingerprint()
    authority.prepare(["10.1.2.3", "bank.example"])
    first = authority.server_certificate.read_bytes()
    names = x509.load_pem_x509_certificate(first).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert [str(name.value) for name in names.value] == ["10.1.2.3", "anshou-centre"]
    authority.prepare(["10.1.2.3", "bank.example"])
    assert (authority.server_certificate.read_bytes(), authority.fingerprint()) == (first, root)


_add_extension = x509.CertificateBuilder.add_extension


def _without_bounds(
    builder: x509.CertificateBuilder, extension: x509.ExtensionType, critical: bool
) -> x509.CertificateBuilder:
    if isinstance(extension, x509.NameConstraints):
        return builder
    return _add_extension(builder, extension, critical)


def test_an_authority_of_before_signs_for_all_names_as_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = Authority(folder=tmp_path / "older")
    with monkeypatch.context() as patched:
        patched.setattr(x509.CertificateBuilder, "add_extension", _without_bounds)
        older.prepare()
    root = older.fingerprint()
    older.prepare(["bank.example"])
    assert older.may_sign_for("bank.example")
    assert older.fingerprint() == root
    assert _is_believed(older, "bank.example")
