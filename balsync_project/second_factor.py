"""The second step of signing in, and where it is set up."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from typing import Any

import django_otp
from django import forms
from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from django_otp.qr import write_qrcode_image
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin.base import tell
from accounts.services import second_factor

# Open to who has shown a password only. Everything else asks for both.
OPEN_PREFIXES = ("/health/", "/metrics", "/webhooks/", "/static/")
OPEN_ROUTES = ("second_factor", "second_factor_setup", "admin:login", "admin:logout")


class CodeForm(forms.Form):
    """One code."""

    code = forms.CharField(
        max_length=16,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "one-time-code", "autofocus": True}
        ),
    )


class SecondFactor:
    """Lets a session do nothing before both steps are done, where both are needed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_half_signed_in(request):
            return self.get_response(request)
        if request.path.startswith("/api/"):
            # A token or a signature may come along: those were given for both steps.
            request.user = AnonymousUser()
            return self.get_response(request)
        return redirect(with_next("second_factor", request.get_full_path()))


def is_half_signed_in(request: HttpRequest) -> bool:
    """Say whether a password was shown, and a second factor is still needed here."""
    if not request.session.session_key or is_open(request.path):
        return False
    user = request.user
    if not user.is_authenticated or user.is_verified():
        return False
    return second_factor.is_needed(user)


def is_open(path: str) -> bool:
    return path.startswith(OPEN_PREFIXES) or path in map(reverse, OPEN_ROUTES)


def with_next(route: str, path: str) -> str:
    return f"{reverse(route)}?{urlencode({'next': path})}"


def next_of(request: HttpRequest) -> str:
    """Return where the person was going; never to another site."""
    told = request.GET.get("next", "")
    hosts, tls = {request.get_host()}, request.is_secure()
    if url_has_allowed_host_and_scheme(told, hosts, require_https=tls):
        return told
    return reverse("admin:index")


@never_cache
@login_required
def ask(request: HttpRequest) -> HttpResponse:
    """Ask for a code, and let the person go on."""
    if not second_factor.has_one(request.user):
        return redirect(with_next("second_factor_setup", next_of(request)))
    if request.user.is_verified():
        return redirect("second_factor_setup")
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        device = second_factor.verify(request.user, form.cleaned_data["code"])
        if device is not None:
            django_otp.login(request, device)
            request.session.cycle_key()
            return redirect(next_of(request))
        form.add_error("code", WRONG)
    return page(request, "Second step", form=form)


WRONG = "This code is wrong, was used before, or came too soon after a wrong one."


@never_cache
@login_required
def set_up(request: HttpRequest) -> HttpResponse:
    """Show the secret and take the first code; or turn off what is set up."""
    if second_factor.has_one(request.user):
        if not request.user.is_verified():
            return redirect("second_factor")
        return turn_off(request)
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        done = second_factor.confirm(request.user, form.cleaned_data["code"])
        if done is not None:
            device, codes = done
            django_otp.login(request, device)
            request.session.cycle_key()
            return page(request, "Recovery codes", codes=codes, back=next_of(request))
        form.add_error("code", WRONG)
    device = second_factor.pending(request.user)
    return page(
        request,
        "Set up a second factor",
        form=form,
        picture=picture_of(device.config_url),
        secret=device.shown_secret,
    )


def turn_off(request: HttpRequest) -> HttpResponse:
    """Forget the second factor once one more code was shown."""
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if second_factor.verify(request.user, form.cleaned_data["code"]):
            second_factor.turn_off(request.user)
            tell(request, "The second factor is turned off.")
            return redirect("admin:index")
        form.add_error("code", WRONG)
    return page(request, "Second factor", form=form, is_on=True)


def page(request: HttpRequest, title: str, **context: Any) -> HttpResponse:
    # The page has no menu: who has shown only a password learns nothing from it.
    context = admin.site.each_context(request) | {"title": title, **context}
    return TemplateResponse(request, "admin/second_factor.html", context)


def picture_of(text: str) -> str:
    """Return a QR code as an address that an image can have."""
    out = BytesIO()
    write_qrcode_image(text, out)
    return "data:image/svg+xml;base64," + b64encode(out.getvalue()).decode()
