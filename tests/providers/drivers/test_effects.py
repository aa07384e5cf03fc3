from __future__ import annotations

import asyncio
import errno
import http.client
import socket
import ssl

import pytest

from providers.drivers.effects import named

SECRET = "https://bank.example/?token=never-show-this"


def following(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ECONNREFUSED, SECRET), "Connection refused"),
        (
            following(ValueError(SECRET), ConnectionResetError()),
            "connection reset error",
        ),
        (socket.gaierror(socket.EAI_AGAIN, SECRET), "its name could not be looked up"),
        (following(OSError(SECRET), TimeoutError(SECRET)), "it took too long"),
        (following(TimeoutError(), asyncio.CancelledError()), "it took too long"),
        (ssl.SSLError(1, SECRET), "tls failed"),
        (http.client.RemoteDisconnected(SECRET), "remote disconnected"),
    ],
)
def test_what_went_wrong_is_said_in_words_and_without_the_address(error, words):
    assert named(error) == words
