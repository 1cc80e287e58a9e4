"""How the pages are served: at which addresses, by how many processes, with which certificate for whom."""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from uvicorn.supervisors import Multiprocess

from dashboard.door import DoorConfig, allow_many_files
from dashboard.settings import Settings
from protocol.enrolment import SERVER_NAME

GRACE_S = 5
"""Open requests get so long to end when the process is asked to stop."""
KEEP_ALIVE_S = 75
BACKLOG = 2048
UNHEARD_MS_MAX = 30_000
"""What nobody confirms for so long ends a connection: a tablet that leaves the network says no word."""


def serve(app: str, settings: Settings) -> bool:
    """Serve `app` (a factory, as uvicorn names it) until told to stop; whether it started at all.

    OSError: an address cannot be had.
    """
    allow_many_files()
    config = DoorConfig(
        app,
        factory=True,
        workers=settings.workers,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies.strip()),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        log_config=None,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        ssl_context_factory=None if settings.tls_certificate is None else Certificates(settings),
    )
    sockets = [listening(host.strip(), settings.port) for host in settings.host.split(",")]
    if config.workers > 1:
        Multiprocess(config, sockets).run()
        return True
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):  # the server has ended in good order by then
        server.run(sockets=sockets)
    return server.started


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections at this address. OSError: it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD_MS_MAX)  # whoever comes in has it
    made.bind((host, port))
    made.listen(BACKLOG)
    made.set_inheritable(True)
    return made


class Certificates:
    """Makes the TLS context of a process: gateways, which ask for `SERVER_NAME`, may be shown their own."""

    def __init__(self, settings: Settings) -> None:
        self._certificate = settings.tls_gateway_certificate
        self._key = settings.tls_gateway_key

    def __call__(self, _config: uvicorn.Config, usual: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        """The context for everybody, with another one behind it for gateways if there is one."""
        context = usual()
        if self._certificate is not None:
            for_gateways = usual()
            for_gateways.load_cert_chain(self._certificate, self._key)

            def choose(connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
                if name == SERVER_NAME:
                    connection.context = for_gateways

            context.sni_callback = choose
        return context
