"""Connections whose answers end by a deadline, however slowly a server drips them.

A socket's own timeout starts anew with every byte; these give each read what is left.
"""

from __future__ import annotations

import http.client
import io
import socket
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError

from . import public, tls
from .lateness import too_late

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class _Stream(io.RawIOBase):
    """Reads a socket until a deadline (monotonic seconds)."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline
        # The file keeps the socket alive when the connection lets go of it.
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        left = self._deadline - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Lines(io.BufferedReader):
    """Knows that a header without its end is no header: http.client takes it for one."""

    whole = False

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        cut = not line.endswith(b"\n") and len(line) != size
        if self.whole and cut:
            raise http.client.RemoteDisconnected("Hung up in the header")
        return line


class _Until:
    """Stands in for a socket where only a file to read is made of it."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline

    def makefile(self, _mode: str) -> _Lines:
        return _Lines(_Stream(self._sock, self._deadline))


class _Answer(http.client.HTTPResponse):
    def begin(self) -> None:
        lines: Any = self.fp
        lines.whole = True
        super().begin()
        lines.whole = False


def _answer(
    deadline: float, sock: socket.socket, *args: Any, **options: Any
) -> http.client.HTTPResponse:
    limited: Any = _Until(sock, deadline)
    return _Answer(limited, *args, **options)


class _Clocked(HTTPConnection):
    def connect(self) -> None:
        # Whatever fails in here, a certificate included, nothing was asked yet.
        try:
            super().connect()
        except NewConnectionError:
            raise
        except (OSError, HTTPError) as error:
            raise NewConnectionError(self, str(error)) from error
        if too_late():
            self.close()
            raise NewConnectionError(self, "") from TimeoutError()

    def getresponse(self) -> Any:
        left = self.timeout if isinstance(self.timeout, int | float) else 0.0
        self.response_class: Any = partial(_answer, monotonic() + left)
        return super().getresponse()


class _ClockedTLS(_Clocked, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Clocked


class _PoolTLS(HTTPSConnectionPool):
    ConnectionCls = _ClockedTLS


class _Public(_Clocked):
    def _new_conn(self) -> socket.socket:
        seconds = self.timeout if isinstance(self.timeout, int | float) else 0.0
        host = self._dns_host.strip("[]")  # `host` lacks the dot that ends a whole name
        return public.connected(host, self.port, seconds, self.socket_options or ())


class _PublicTLS(_Public, HTTPSConnection):
    pass


class _PublicPool(HTTPConnectionPool):
    ConnectionCls = _Public


class _PublicPoolTLS(HTTPSConnectionPool):
    ConnectionCls = _PublicTLS


class Adapter(HTTPAdapter):
    """Keeps connections alive, under the process's one TLS context."""

    pools: ClassVar = {"http": _Pool, "https": _PoolTLS}

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **options: Any
    ) -> None:
        self.poolmanager = PoolManager(
            connections, maxsize=maxsize, block=block, ssl_context=tls.context()
        )
        self.poolmanager.pool_classes_by_scheme = self.pools

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        # requests would load the bundle into the context at each connection.
        conn.cert_reqs = "CERT_REQUIRED"


class PublicAdapter(Adapter):
    """Connects to public addresses only; raises AddressRefused for others."""

    pools: ClassVar = {"http": _PublicPool, "https": _PublicPoolTLS}


def session(adapter: type[Adapter] = Adapter) -> requests.Session:
    """Return a session that serves many owners: no .netrc, no proxies, no cookies."""
    made = requests.Session()
    made.trust_env = False
    made.headers.clear()
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        made.mount(scheme, adapter(pool_connections=10, pool_maxsize=20))
    return made
