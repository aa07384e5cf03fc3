"""A headless Chromium, driven over its DevTools pipe: no driver, no open port."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--remote-debugging-pipe",
]
PATIENCE = 30.0  # seconds for one answer
QUIET = 0.4  # seconds without news after which a page has settled


class BrowserError(RuntimeError):
    """The browser did not do as it was told."""


def find() -> str | None:
    """Return where a Chromium is installed, if one is."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """One browser with one page at a time; notes what it asks for and complains of."""

    def __init__(self, program: str, profile: Path) -> None:
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        # The browser reads commands from 3 and writes answers to 4.
        shell = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self.process = subprocess.Popen(
            ["bash", "-c", shell, program, *FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.reading, self.writing = ours_in, ours_out
        self.pending = b""
        self.last_id = 0
        self.session: str | None = None
        self.context = ""
        self.forget()

    def forget(self) -> None:
        """Forget what the page has asked for so far, and what went wrong."""
        self.requests: list[str] = []
        self.failed: list[str] = []
        self.complaints: list[str] = []
        self.loaded = False

    def open(self) -> None:
        """Open a page of somebody whom this browser has never seen; listen to it."""
        self.forget()
        self.context = self.tell("Target.createBrowserContext")["browserContextId"]
        made = self.tell(
            "Target.createTarget", url="about:blank", browserContextId=self.context
        )
        target = made["targetId"]
        attached = self.tell("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.tell(f"{domain}.enable")

    def leave(self) -> None:
        """Close the page, with every cookie and file it was given."""
        self.session = None
        self.tell("Target.disposeBrowserContext", browserContextId=self.context)

    def tell(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and return its result; raises BrowserError."""
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while (answer := self.next(deadline)) is not None:
            if answer.get("id") == self.last_id:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                return answer["result"]
        raise BrowserError(f"{method}: no answer")

    def next(self, deadline: float) -> dict[str, Any] | None:
        """Return the next message before `deadline`, and note it if it is news."""
        while b"\0" not in self.pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.reading], [], [], left)[0]:
                return None
            piece = os.read(self.reading, 1 << 16)
            if not piece:
                raise BrowserError("The browser has ended")
            self.pending += piece
        text, _, self.pending = self.pending.partition(b"\0")
        message = json.loads(text)
        if message.get("sessionId") == self.session:
            self.note(message.get("method", ""), message.get("params", {}))
        return message

    def note(self, method: str, told: dict[str, Any]) -> None:
        """Keep what the page asked for, and what went wrong on it."""
        if method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Network.responseReceived" and told["response"]["status"] >= 400:
            self.failed.append(
                f"{told['response']['status']} {told['response']['url']}"
            )
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.complaints.append(told["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(told["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and told["type"] == "error":
            self.complaints.append(json.dumps(told["args"])[:500])
        elif method == "Page.loadEventFired":
            self.loaded = True

    def dress(self, scheme: str, width: int, height: int = 1000) -> None:
        """Prefer `light` or `dark`, in a window of this size."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.tell("Emulation.setEmulatedMedia", features=[feature])
        self.tell(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def sign_in(self, url: str, session_key: str) -> None:
        self.tell("Network.setCookie", url=url, name="sessionid", value=session_key)

    def visit(self, url: str) -> None:
        """Load a page and wait until nothing more happens on it."""
        self.forget()
        self.tell("Page.navigate", url=url)
        self.settle()

    def settle(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.loaded:
            if self.next(deadline) is None:
                raise BrowserError("The page never loaded")
        while self.next(time.monotonic() + QUIET) is not None:
            pass

    def evaluate(self, script: str) -> Any:
        """Return what `script` comes to on the page."""
        told = self.tell("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in told:
            raise BrowserError(json.dumps(told["exceptionDetails"])[:500])
        return told["result"].get("value")

    def text_with(self, words: str) -> str:
        """Return what a person reads on the page, once `words` are there; or as it is."""
        deadline = time.monotonic() + PATIENCE
        while True:
            text: str = self.evaluate("document.body.innerText")
            if words in text or time.monotonic() > deadline:
                return text
            self.next(time.monotonic() + QUIET)

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """Write a picture of the page."""
        shot = self.tell("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        self.session = None
        try:
            self.tell("Browser.close")  # a signal would leave its files in /tmp
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            os.close(self.reading)
            os.close(self.writing)


@contextmanager
def chromium(profile: Path) -> Iterator[Chromium]:
    """Run a browser for as long as it is needed."""
    program = find()
    if program is None:
        raise BrowserError("No Chromium is installed")
    browser = Chromium(program, profile)
    try:
        yield browser
    finally:
        browser.close()
