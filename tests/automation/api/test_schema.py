"""The documentation is complete, and the page that shows it asks nobody outside."""

from __future__ import annotations

import re

import pytest
import yaml
from django.core.management import call_command

from tests.fixtures_api import V1


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    path = tmp_path_factory.mktemp("schema") / "schema.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(path))
    return yaml.safe_load(path.read_text())


def operations(schema):
    return [
        (method, path, told)
        for path, methods in schema["paths"].items()
        for method, told in methods.items()
    ]


def test_every_operation_says_in_one_line_what_it_does(schema):
    for method, path, told in operations(schema):
        assert re.fullmatch(r"[A-Z].{5,90}", told["summary"]), (method, path)
        assert not told["summary"].endswith(".")


def test_every_operation_documents_its_problems(schema):
    for method, path, told in operations(schema):
        wanted = {"400", "401", "403", "404", "406", "429"}
        if "Idempotency-Key" in {p["name"] for p in told.get("parameters", ())}:
            wanted |= {"409", "413", "415", "422"}
        assert wanted <= set(told["responses"]), (method, path)
        content = told["responses"]["404"]["content"]
        assert content["application/problem+json"]["schema"] == {
            "$ref": "#/components/schemas/Problem"
        }


def test_every_post_that_does_something_takes_a_key(schema):
    without = {
        path
        for method, path, told in operations(schema)
        if method == "post"
        and "Idempotency-Key" not in {p["name"] for p in told.get("parameters", ())}
    }

    assert {path for path in without if "/auth/" not in path} == set()
    run = schema["paths"][f"{V1}/rules/{{id}}/runs/"]["post"]
    assert [p["required"] for p in run["parameters"] if p["in"] == "header"] == [True]


def test_money_is_one_component_of_strings(schema):
    money = schema["components"]["schemas"]["Money"]

    assert {name: p["type"] for name, p in money["properties"].items()} == {
        "asset": "string",
        "minor": "string",
        "amount": "string",
    }
    text = str(schema["components"]["schemas"])
    assert text.count("#/components/schemas/Money") > 30


def test_no_answer_has_a_member_for_secrets(schema):
    for name, told in schema["components"]["schemas"].items():
        for member, described in told.get("properties", {}).items():
            if member in ("credentials", "password"):
                assert described.get("writeOnly"), name


@pytest.mark.parametrize("query", ["", "?script="])
def test_page_asks_nobody_outside(world, query):
    page = world.viewer.get(f"{V1}/docs/{query}", headers={"Accept": "text/html"})

    assert page.status_code == 200
    links = re.findall(
        r"""(?:src|href|url)["']?[=:] ?["']([^"']+)""", page.content.decode()
    )
    assert links
    assert [x for x in links if not x.startswith("/") or x.startswith("//")] == []
