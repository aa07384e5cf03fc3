"""What a forger may do to a call that is signed, and what the line may: who is believed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from providers.base import SendsWebhooks
from providers.errors import AuthenticationFailed, UnexpectedResponse
from providers.sandbox.hooked import Hooked

# Digits and letters of hexadecimals and Base64, and what belongs to neither.
LETTERS = "0g A+/=zB\x00\u00e9\ud800"


def believed(adapter: SendsWebhooks, headers: Mapping[str, str], body: bytes) -> bool:
    """Say whether a call is taken for the provider's own, whatever it is about."""
    try:
        adapter.hint(headers, body)
    except AuthenticationFailed:
        return False
    except UnexpectedResponse:
        return True
    return True


def refuses_every_change(
    adapter: SendsWebhooks, headers: Mapping[str, str], body: bytes
) -> None:
    """Assert that a call is believed, and not with another body or another of `headers`."""
    refuses_every_other_proof(adapter, headers, body)
    for bent in other_bodies(body):
        assert not believed(adapter, headers, bent), bent


def refuses_every_other_proof(
    adapter: SendsWebhooks, headers: Mapping[str, str], body: bytes
) -> None:
    """Assert that a call is believed, and not if one of `headers` is missing or another."""
    assert believed(adapter, headers, body)
    for name, text in headers.items():
        rest = {other: said for other, said in headers.items() if other != name}
        assert not believed(adapter, rest, body)
        for bent in other_texts(text):
            assert not believed(adapter, {**rest, name: bent}, body), bent


def other_bodies(body: bytes) -> Iterator[bytes]:
    """Yield `body` with each of its bits turned, and without its ends."""
    for place in range(len(body)):
        for bit in range(8):
            bent = bytearray(body)
            bent[place] ^= 1 << bit
            yield bytes(bent)
    yield from (body[:-1], body[1:], b"")


def other_texts(text: str) -> Iterator[str]:
    """Yield `text` with each of its letters another, and shorter, longer and in capitals."""
    for place, was in enumerate(text):
        turned = {chr(ord(was) ^ 1 << bit) for bit in range(7)}
        for letter in sorted(turned.union(LETTERS) - {was}):
            yield text[:place] + letter + text[place + 1 :]
    yield from ("", text[:-1], text[:-2], text[:-4], text[1:])
    yield from (f"{text}{more}" for more in ("0", "=", " ", "\n", "\u00e9"))
    yield from (f" {text}", text.swapcase(), text * 2)


def counts_late_and_repeated_events_once(
    bank: Hooked, adapter: SendsWebhooks, account: str
) -> None:
    """Assert that an event has one name in all deliveries, and that a forged one has none."""
    bank.do("hook", url="http://127.0.0.1:1/")
    bank.do("withhold_webhooks")
    bank.pay(account, 100)
    bank.pay(account, 250, description="Ọlá Çelik")
    assert not bank.outbox

    bank.clock.advance(3600)
    bank.do("withhold_webhooks", on=False)
    bank.do("resend_webhook", times=5)
    told = [bank.outbox.popleft() for _ in range(7)]

    names = [adapter.hint(call.headers, call.body).event_id for call in told]
    assert len(set(names)) == 2
    assert names[1:] == names[1:2] * 6
    bank.do("forge_webhook")
    forged = bank.outbox.popleft()
    assert not believed(adapter, forged.headers, forged.body)
