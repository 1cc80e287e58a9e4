"""Settings of the dashboard, read from the environment (`ANSHOU_DASHBOARD_…`, `ANSHOU_DATABASE_URL`)."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.watchdog import STALL_S_MAX

Port = Annotated[int, Meta(ge=0, le=65_535)]
Seconds = Annotated[float, Meta(gt=0, le=3_600)]
Count = Annotated[int, Meta(ge=1, le=10_000)]


class Settings(Struct, frozen=True, kw_only=True):
    """What an installation may choose.

    Attributes:
        database_url: The database, as a role that row security binds (anshou_web).
        host: Addresses to listen on, divided by commas; another than loopback needs TLS here, a trusted proxy
            that speaks it, or `tell_https_port`.
        port: TCP port to listen on.
        workers: Processes that share the port.
        cookie_secure: Send the session's cookie over HTTPS only; turn it on wherever HTTPS is.
        trusted_proxies: Addresses, divided by commas, whose X-Forwarded-For and -Proto are believed.
        plain_http: Serve another address than loopback without TLS all the same: for a container whose
            published port only its own machine reaches.
        host_names: Names of these pages, divided by commas or spaces, beside those that no stranger can own:
            addresses, names without a dot, `.local`, `.internal`, `.home.arpa` and those in the certificate.
        pool_size_max: Connections to the database for each process; fewer where their role's limit is small.
        pool_wait_s: How long a request waits for one of them before it is told to try again.
        statement_timeout_s: After this the database breaks a query off.
        streams_max: Live pages for each process; the next is told to try again.
        streams_person_max: Live pages of one person for each process; the oldest ends for the next.
        beat_s: Between two signs of life on a live page; pages count as cut off after 2.5 of them.
        sign_ins_max: Passwords checked at once; each takes 64 MiB.
        tls_certificate: PEM file of a certificate: pages are then served over HTTPS only.
        tls_key: PEM file of its private key.
        tls_gateway_certificate: PEM file of the certificate for gateways, which ask for the centre by its
            fixed name, where browsers are shown another.
        tls_gateway_key: PEM file of its private key.
        tell_https_port: Over plain HTTP, other machines are told that the pages are at this port; they see
            nothing else.
        authority: PEM file of the centre's authority; without it, gateways cannot be paired here.
        gateway_https_port: Where gateways find these pages with a certificate of that authority.
        gateway_mqtt_port: Where gateways find the broker, over TLS with a certificate of that authority.
        gateway_mqtt_host: The broker's host, where it is not the one of the pages.
        stall_s_max: When no request gets its turn for so long, the process ends, to be started again.
    """

    database_url: str
    host: str = "127.0.0.1"
    port: Port = 8080
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    cookie_secure: bool = False
    trusted_proxies: str = ""
    plain_http: bool = False
    host_names: str = ""
    pool_size_max: Count = 10
    pool_wait_s: Seconds = 5.0
    statement_timeout_s: Seconds = 10.0
    streams_max: Count = 500
    streams_person_max: Count = 20
    beat_s: Seconds = 10.0
    sign_ins_max: Annotated[int, Meta(ge=1, le=64)] = 2
    tls_certificate: str | None = None
    tls_key: str | None = None
    tls_gateway_certificate: str | None = None
    tls_gateway_key: str | None = None
    tell_https_port: Annotated[int, Meta(ge=1, le=65_535)] | None = None
    authority: str | None = None
    gateway_https_port: Annotated[int, Meta(ge=1, le=65_535)] = 8443
    gateway_mqtt_port: Annotated[int, Meta(ge=1, le=65_535)] = 8883
    gateway_mqtt_host: str | None = None
    stall_s_max: Annotated[float, Meta(ge=1, le=86_400)] = STALL_S_MAX
