"""A broker's address is read once, and what is wrong with it is told without its password."""

import ssl
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from deploy.authority import Authority
from protocol.broker import BrokerAddress, tls_from_files
from protocol.environment import SettingsError

PRINTABLE = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
HOSTS = st.sampled_from(["broker", "10.1.2.3", "::1", "broker.example.org"])


@given(HOSTS, st.integers(1, 65_535), PRINTABLE, PRINTABLE | st.none(), st.booleans())
def test_what_is_written_is_read_again(
    host: str, port: int, username: str, password: str | None, encrypted: bool
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if encrypted else None
    written = BrokerAddress(host=host, port=port, username=username, password=password, tls=tls)
    assert BrokerAddress.parse(written.url, tls=lambda: tls or pytest.fail("not asked for")) == written


@pytest.mark.parametrize(
    ("url", "host", "port", "username", "password"),
    [
        ("mqtt://broker", "broker", 1883, None, None),
        ("mqtts://broker", "broker", 8883, None, None),
        ("MQTTS://broker:1/", "broker", 1, None, None),
        ("mqtt://a%40b:c%2Fd%3A@[::1]:7", "::1", 7, "a@b", "c/d:"),
        ("mqtt://a@broker", "broker", 1883, "a", None),
    ],
)
def test_the_parts_of_an_address(
    url: str, host: str, port: int, username: str | None, password: str | None
) -> None:
    address = BrokerAddress.parse(url)
    assert (address.host, address.port, address.username, address.password) == (
        host,
        port,
        username,
        password,
    )
    assert (address.tls is not None) == url.lower().startswith("mqtts")


def test_who_asks_for_tls_checks_the_certificate_and_its_name() -> None:
    tls = BrokerAddress.parse("mqtts://broker").tls
    assert tls is not None
    assert tls.verify_mode is ssl.CERT_REQUIRED
    assert tls.check_hostname


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "begins with neither"),
        ("broker:1883", "begins with neither"),
        ("http://a:s3cret@broker", "begins with neither"),
        ("mqtt+tls://a:s3cret@broker", "begins with neither"),
        ("mqtts://", "names no host"),
        ("mqtt://a:s3cret@", "names no host"),
        ("mqtt://a:s3cret@:1883", "names no host"),
        ("mqtt://a:s3cret@broker:0", "port 0"),
        ("mqtt://a:s3cret@broker:65536", "no number from 1 to 65535"),
        ("mqtt://a:s3cret@broker:many", "no number from 1 to 65535"),
        ("mqtt://a:s3cret/x@broker", "%2F"),
        ("mqtt://a:12/s3cret@broker", "%2F"),
        ("mqtt://a:12#s3cret@broker", "%23"),
        ("mqtt://a:12?s3cret@broker", "%3F"),
        ("mqtt://a:[s3cret@broker", "%5B"),
        ("mqtt://broker/s3cret", "something follows"),
    ],
)
def test_another_address_is_explained_without_its_password(url: str, why: str) -> None:
    with pytest.raises(SettingsError) as refused:
        BrokerAddress.parse(url, "ANSHOU_GATEWAY_LAN_URL")
    told: BaseException | None = refused.value
    assert str(told).startswith("ANSHOU_GATEWAY_LAN_URL is not like mqtt://user:password@host:1883")
    assert why in str(told)
    while told is not None:  # a traceback shows what it came from as well
        assert "s3cret" not in str(told)
        told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)


def test_the_password_is_not_in_what_is_printed() -> None:
    address = BrokerAddress.parse("mqtts://name:s3cret@broker")
    assert "s3cret" not in f"{address} {address!r} {address.where}"
    assert "name" in repr(address)


def test_certificates_of_ones_own(tmp_path: Path) -> None:
    authority = Authority(folder=tmp_path / "authority")
    authority.prepare()
    ours, key = str(authority.server_certificate), str(authority.server_key)
    context = tls_from_files(str(authority.certificate), ours, key)
    assert len(context.get_ca_certs()) == 1
    assert context.verify_mode is ssl.CERT_REQUIRED
    for files in (
        (str(tmp_path / "nothing.pem"), None, None),
        (key, None, None),
        (None, ours, str(authority.key)),
        (None, key, key),
    ):
        with pytest.raises(SettingsError, match="certificate"):
            tls_from_files(*files)
