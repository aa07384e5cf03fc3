"""Real servers on this machine that events are sent to."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any


@contextmanager
def webhook_server() -> Iterator[Any]:
    """Run an http server that keeps what it is sent, and answers as it is told."""
    told = SimpleNamespace(calls=[], status=204, headers={}, hold=None)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sent = {name.lower(): value for name, value in self.headers.items()}
            told.calls.append((self.path, sent, body))
            if told.hold is not None:
                told.hold.wait(30)
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        told.port = server.server_address[1]
        told.url = f"http://127.0.0.1:{told.port}/hook/SECRET-PATH"
        yield told
        server.shutdown()


@contextmanager
def mail_server() -> Iterator[Any]:
    """Run a mail server that takes every letter."""
    told = SimpleNamespace(letters=[], arrived=threading.Event(), hold=None)

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 here")
            for raw in self.rfile:
                word = raw.decode().strip().upper()[:4]
                if word == "DATA":
                    if told.hold is not None:
                        told.hold.wait(30)
                    self.say("354 go on")
                    lines = list(iter(self.rfile.readline, b".\r\n"))
                    told.letters.append(b"".join(lines).decode())
                    told.arrived.set()
                if word == "QUIT":
                    self.say("221 bye")
                    return
                self.say("250 fine")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        told.url = f"mailto://127.0.0.1:{server.server_address[1]}?from=b@example.com"
        yield told
        server.shutdown()
