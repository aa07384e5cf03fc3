"""Fields look as the libraries draw them, with fewer templates."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import unfold
from django import forms
from django.forms.renderers import DjangoTemplates
from django.template import Context, Engine
from unfold import widgets

from balsync_project.rendering import Renderer

ODD = [("", "–"), ("<a&b>", "\"quoted\" & 'so' <b>"), (3, 4), ("x", "chosen")]
FIELD = "unfold/helpers/field.html"
THEIRS = Path(unfold.__file__).parent / "templates"
OURS = Path(__file__).parents[2] / "balsync_project/templates"


class Form(forms.Form):
    plain = forms.CharField(
        widget=widgets.UnfoldAdminTextInputWidget(), help_text="<b>so</b>"
    )
    choice = forms.ChoiceField(
        choices=ODD, required=False, widget=widgets.UnfoldAdminSelectWidget()
    )
    many = forms.MultipleChoiceField(
        choices=ODD, widget=widgets.UnfoldAdminSelectMultipleWidget()
    )
    grouped = forms.ChoiceField(choices=[("group", ODD)])
    radio = forms.ChoiceField(choices=ODD, widget=forms.RadioSelect())
    none = forms.ChoiceField(choices=[], required=False)
    check = forms.BooleanField(widget=widgets.UnfoldBooleanWidget())
    switch = forms.BooleanField(widget=widgets.UnfoldBooleanSwitchWidget())
    several = forms.MultipleChoiceField(
        choices=ODD, widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget()
    )
    hidden = forms.CharField(widget=forms.HiddenInput())


def page(renderer: forms.renderers.BaseRenderer, folder: Path, data) -> str:
    """Return each field of the form, without the space between tags."""
    engine = Engine([folder], libraries={"unfold": "unfold.templatetags.unfold"})
    template = engine.get_template(FIELD)
    form = Form(data, renderer=renderer)
    text = "\n".join(template.render(Context({"field": field})) for field in form)
    return re.sub(r"\s*(<[^>]*>)\s*", r"\1", re.sub(r"\s+", " ", text))


@pytest.mark.parametrize(
    "data",
    [None, {}, {"choice": "x", "many": ["<a&b>", "3"], "grouped": "x", "plain": "<"}],
)
def test_fields_are_drawn_as_the_libraries_draw_them(data):
    assert page(Renderer(), OURS, data) == page(DjangoTemplates(), THEIRS, data)
