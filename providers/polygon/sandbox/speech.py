"""JSON-RPC 2.0, as nodes speak it: what a question must be, and how a no is said."""

from __future__ import annotations

import re
from typing import Any

QUANTITY = re.compile(r"0x(0|[1-9a-f][0-9a-f]*)", re.ASCII | re.IGNORECASE)
ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.ASCII | re.IGNORECASE)
DATA = re.compile(r"0x([0-9a-f]{2})*", re.ASCII | re.IGNORECASE)
HASH = re.compile(r"0x[0-9a-f]{64}", re.ASCII | re.IGNORECASE)


class Wrong(Exception):
    """A question that gets an error for an answer."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(code, message)
        self.code, self.message, self.data = code, message, data


def question(row: Any) -> tuple[int | str, str, list[Any]]:
    """Return a question's id, method and parameters; raises Wrong."""
    if not isinstance(row, dict) or row.get("jsonrpc") != "2.0":
        raise Wrong(-32600, "invalid request")
    number, method = row.get("id"), row.get("method")
    params = row.get("params", [])
    if type(number) not in (int, str) or not isinstance(method, str):
        raise Wrong(-32600, "invalid request")
    if not isinstance(params, list) or set(row) - {"jsonrpc", "id", "method", "params"}:
        raise Wrong(-32600, "invalid request")
    return number, method, params  # type: ignore[return-value]


def result(number: int | str, found: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": found}


def error(number: int | str | None, wrong: Wrong) -> dict[str, Any]:
    told: dict[str, Any] = {"code": wrong.code, "message": wrong.message}
    if wrong.data is not None:
        told["data"] = wrong.data
    return {"jsonrpc": "2.0", "id": number, "error": told}


def exactly(params: list[Any], least: int, most: int) -> None:
    """Raise Wrong unless there are that many parameters."""
    if len(params) < least:
        raise Wrong(-32602, f"missing value for required argument {len(params)}")
    if len(params) > most:
        raise Wrong(-32602, f"too many arguments, want at most {most}")


def text(value: Any, form: re.Pattern[str], what: str) -> str:
    """Return a parameter of a form, in lower case; raises Wrong."""
    if not isinstance(value, str) or not form.fullmatch(value):
        raise Wrong(-32602, f"invalid argument: {what}")
    return value.lower()
