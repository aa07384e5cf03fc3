"""A second factor: codes of an app (RFC 6238), and codes on paper for when it is lost."""

from __future__ import annotations

from base64 import b32encode
from os import urandom

from django.conf import settings
from django.db import transaction
from django_otp.models import Device

from accounts.models import AuthenticatorApp, RecoveryCodes

HOW_MANY, CODE_BYTES = 10, 5
DIGITS = 6


def has_one(user) -> bool:
    """Say whether `user` has set a second factor up."""
    return AuthenticatorApp.objects.devices_for_user(user, confirmed=True).exists()


def is_needed(user) -> bool:
    """Say whether a password alone is not enough for `user`."""
    return settings.SECOND_FACTOR_REQUIRED or has_one(user)


def verify(user, code: str) -> Device | None:
    """Return the device that `code` is of, once per code; None if it is wrong.

    After a wrong one the next is looked at later and later.
    """
    if not code.strip():
        return None  # a question, and no guess
    # Codes of the app are digits, and a guess at one must not slow the other down.
    kind = AuthenticatorApp if is_of_app(code) else RecoveryCodes
    with transaction.atomic():
        for device in kind.objects.select_for_update().filter(
            user=user, confirmed=True
        ):
            if device.verify_token(code.strip().lower()):
                return device
    return None


def is_of_app(code: str) -> bool:
    text = code.strip()
    return text.isascii() and text.isdigit() and len(text) == DIGITS


def pending(user) -> AuthenticatorApp:
    """Return the device that `user` is setting up, the same until it is confirmed."""
    known = AuthenticatorApp.objects.devices_for_user(user, confirmed=False).first()
    return known or AuthenticatorApp.objects.create(
        user=user, name="App", confirmed=False
    )


def confirm(user, code: str) -> tuple[AuthenticatorApp, list[str]] | None:
    """Make the pending device count, instead of any other; None for a wrong code.

    Returns the recovery codes as well: each works once, and they are shown this once.
    """
    if not is_of_app(code):
        return None
    with transaction.atomic():
        rows = AuthenticatorApp.objects.select_for_update().filter(user=user)
        device = rows.filter(confirmed=False).first()
        if device is None or not device.verify_token(code.strip()):
            return None
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        rows.exclude(pk=device.pk).delete()
        return device, _recovery_codes(user)


def turn_off(user) -> None:
    """Forget the second factor of `user`, and the recovery codes."""
    with transaction.atomic():
        AuthenticatorApp.objects.filter(user=user).delete()
        RecoveryCodes.objects.filter(user=user).delete()


def _recovery_codes(user) -> list[str]:
    RecoveryCodes.objects.filter(user=user).delete()
    codes = [b32encode(urandom(CODE_BYTES)).decode().lower() for _ in range(HOW_MANY)]
    numbered = {str(number): code for number, code in enumerate(codes)}
    RecoveryCodes.objects.create(user=user, name="Recovery codes", codes=numbered)
    return codes
