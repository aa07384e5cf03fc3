"""Names read from texts."""

from __future__ import annotations

from uuid import UUID

import pytest

from automation.rules.identity import as_uuid

ID = UUID("6f1c0f0a-5d53-5b43-9a52-0c3a4d1f7e21")


@pytest.mark.parametrize("text", [str(ID), str(ID).upper(), ID.hex])
def test_an_id_is_read_however_it_is_written(text):
    assert as_uuid(text) == ID


@pytest.mark.parametrize(
    "told", ["", "bills", str(ID)[:-1], None, 7, ID.int, [str(ID)]]
)
def test_what_is_no_id_names_nothing(told):
    assert as_uuid(told) is None
