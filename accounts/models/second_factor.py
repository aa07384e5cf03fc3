"""What the second step of signing in is checked against, sealed as all secrets are."""

from __future__ import annotations

import time
from base64 import b32encode
from hmac import compare_digest
from os import urandom
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import models
from django_otp.models import Device, ThrottlingMixin, TimestampMixin
from django_otp.oath import TOTP

from accounts.fields import SealedJSONField

STEP, DIGITS = 30, 6  # seconds, and what every app takes (RFC 6238)
TOLERANCE = 1  # steps that a clock may differ
SECRET_BYTES = 20  # as long as the digest that a code is made of


def new_secret() -> dict[str, str]:
    return {"hex": urandom(SECRET_BYTES).hex()}


class Throttled(TimestampMixin, ThrottlingMixin, Device):
    """A device that looks at a code later and later after wrong ones.

    Its id is a number, because sessions name their device by that; so its secret is
    bound to the user it is of.
    """

    class Meta:
        abstract = True

    def get_throttle_factor(self) -> int:
        return 1

    def verify_token(self, token: str) -> bool:
        """Say whether `token` is right now; a right one is never right again."""
        if not self.verify_is_allowed()[0]:
            return False
        if not self.spend(token):
            self.throttle_increment()
            return False
        self.throttle_reset(commit=False)
        self.set_last_used_timestamp(commit=False)
        self.save()
        return True

    def spend(self, token: str) -> bool:
        """Use `token` up, unsaved; False if it is not one that may be used."""
        raise NotImplementedError


class AuthenticatorApp(Throttled):
    """An app that shows a new code every 30 seconds (RFC 6238)."""

    secret = SealedJSONField(default=new_secret, editable=False, bound_by="user_id")
    drift = models.SmallIntegerField(default=0, editable=False)  # steps
    last_step = models.BigIntegerField(default=-1, editable=False)

    class Meta:
        verbose_name = "second factor"

    @property
    def key(self) -> bytes:
        return bytes.fromhex(self.open_secret()["hex"])

    def spend(self, token: str) -> bool:
        if not (token.isascii() and token.isdigit()):
            return False
        clock = TOTP(self.key, STEP, 0, DIGITS, self.drift)
        clock.time = time.time()
        if not clock.verify(int(token), TOLERANCE, self.last_step + 1):
            return False
        self.last_step, self.drift = clock.t(), clock.drift
        return True

    @property
    def shown_secret(self) -> str:
        """Return the secret as a person types it into an app."""
        return b32encode(self.key).decode().rstrip("=")

    @property
    def config_url(self) -> str:
        """Return what an app reads out of a QR code (Google's Key URI Format)."""
        issuer = settings.OTP_TOTP_ISSUER
        told = {"secret": self.shown_secret, "issuer": issuer}
        name = quote(f"{issuer}:{self.user.get_username()}")
        return f"otpauth://totp/{name}?{urlencode(told)}"


class RecoveryCodes(Throttled):
    """Codes on paper, for when the app is lost: each works once."""

    codes = SealedJSONField(default=dict, editable=False, bound_by="user_id")

    class Meta:
        verbose_name_plural = "recovery codes"

    def spend(self, token: str) -> bool:
        left = self.open_codes()
        for number, code in left.items():
            if compare_digest(code.encode(), token.encode()):
                del left[number]
                self.codes = left
                return True
        return False
