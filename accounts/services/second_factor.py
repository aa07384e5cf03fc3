"""A second factor: codes of an app (RFC 6238), and codes on paper for when it is lost."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

RECOVERY_CODES = 10
DIGITS = 6


def has_one(user) -> bool:
    """Say whether `user` has set a second factor up."""
    return TOTPDevice.objects.devices_for_user(user, confirmed=True).exists()


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
    kind = TOTPDevice if is_of_app(code) else StaticDevice
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


def pending(user) -> TOTPDevice:
    """Return the device that `user` is setting up, the same until it is confirmed."""
    known = TOTPDevice.objects.devices_for_user(user, confirmed=False).first()
    return known or TOTPDevice.objects.create(user=user, name="App", confirmed=False)


def confirm(user, code: str) -> tuple[TOTPDevice, list[str]] | None:
    """Make the pending device count, instead of any other; None for a wrong code.

    Returns the recovery codes as well: each works once, and they are shown this once.
    """
    if not is_of_app(code):
        return None
    with transaction.atomic():
        rows = TOTPDevice.objects.select_for_update().filter(user=user)
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
        TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()


def _recovery_codes(user) -> list[str]:
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="Recovery codes")
    codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=c) for c in codes)
    return codes
