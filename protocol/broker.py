"""Where a broker is, as whom to sign in there, and whether the way to it is encrypted.

Every client of ours is prepared from a `BrokerAddress`, so that none can take the host of an address and
forget the rest of it: a secret that goes to `mqtts://` never travels in clear.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypedDict
from urllib.parse import quote, unquote, urlsplit

from protocol.environment import SettingsError

if TYPE_CHECKING:
    from paho.mqtt.client import Client

MQTT_PORT = 1883
MQTTS_PORT = 8883
FORM = "mqtt://user:password@host:1883, or mqtts:// for TLS"
ENCODED = "its name or password holds a / # ? : @ or [ that must be written as %2F %23 %3F %3A %40 or %5B"


class AiomqttOptions(TypedDict):
    """The part of `aiomqtt.Client`'s arguments that an address decides."""

    hostname: str
    port: int
    username: str | None
    password: str | None
    tls_context: ssl.SSLContext | None


@dataclass(frozen=True, kw_only=True)
class BrokerAddress:
    """A broker and an account there.

    Attributes:
        host: Its name or IP address.
        port: Its TCP port.
        username: None: nobody in particular.
        password: None: without one. It is not in the text of the object.
        tls: How its certificate is checked; None: the way is not encrypted.
    """

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None

    @classmethod
    def parse(
        cls,
        url: str,
        setting: str = "ANSHOU_MQTT_URL",
        *,
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> Self:
        """The address in `url`, whose user and password are percent-encoded.

        Args:
            url: `mqtt://user:password@host:port`, or `mqtts://…` with TLS. Without a port: 1883, 8883.
            setting: Where the address stands, for the error.
            tls: Makes the context where TLS is asked for. By default the system's authorities are believed;
                OpenSSL's variable SSL_CERT_FILE names others.

        Raises:
            SettingsError: It is not such an address. The password is not in the text.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            # The text of this error may hold a piece of the password.
            raise SettingsError(
                f"{setting} is not like {FORM}: its port is no number from 1 to 65535, or {ENCODED}"
            ) from None
        why = None
        if parts.scheme not in {"mqtt", "mqtts"}:
            why = "it begins with neither mqtt:// nor mqtts://"
        elif not host:
            why = "it names no host"
        elif port == 0:
            why = "no broker listens on port 0"
        elif parts.path not in {"", "/"} or parts.query or parts.fragment:
            why = f"something follows the host and the port, or {ENCODED}"
        if why is not None or host is None:
            raise SettingsError(f"{setting} is not like {FORM}: {why}")
        secure = parts.scheme == "mqtts"
        return cls(
            host=host,
            port=port or (MQTTS_PORT if secure else MQTT_PORT),
            username=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            tls=tls() if secure else None,
        )

    @property
    def where(self) -> str:
        """Host and port, for people."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address in the form that `parse` reads. It holds the password."""
        account = ""
        if self.username is not None:
            account = quote(self.username, safe="")
            account += "@" if self.password is None else f":{quote(self.password, safe='')}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtt' if self.tls is None else 'mqtts'}://{account}{host}:{self.port}"

    def for_session(self, client_id: str) -> Self:
        """The account of one session, where each has its own: its id follows a user name that ends with @.

        Such an account is bound to that id. A listener that gives devices their names as ids refuses it.
        """
        if self.username is None or not self.username.endswith("@"):
            return self
        return replace(self, username=self.username + client_id)

    def prepare(self, client: "Client") -> None:
        """Give a new paho client the account and the encryption; `host` and `port` go to its `connect`."""
        if self.username is not None:
            client.username_pw_set(self.username, self.password)
        if self.tls is not None:
            client.tls_set_context(self.tls)

    def for_aiomqtt(self) -> AiomqttOptions:
        """The same for `aiomqtt.Client(**address.for_aiomqtt(), …)`."""
        return AiomqttOptions(
            hostname=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            tls_context=self.tls,
        )


def tls_from_files(
    ca_file: str | None = None, cert_file: str | None = None, key_file: str | None = None
) -> ssl.SSLContext:
    """Server certificates are checked against `ca_file`; `cert_file` and `key_file` are our own.

    Args:
        ca_file: Authorities (PEM); None: those that the system trusts.
        cert_file: Our certificate (PEM), where the broker asks for one.
        key_file: Its private key; None: it lies in `cert_file`.

    Raises:
        SettingsError: One of the files cannot be read, or is not what it should be.
    """
    for path in (ca_file, cert_file, key_file):
        if path is not None and not Path(path).is_file():
            raise SettingsError(f"{path} is missing: it should hold a certificate or key for the broker")
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if cert_file is not None:
            context.load_cert_chain(cert_file, key_file)
    except OSError as error:  # ssl.SSLError is one
        raise SettingsError(
            f"the certificates for the broker cannot be read ({ca_file or cert_file}): {error}"
        ) from error
    return context
