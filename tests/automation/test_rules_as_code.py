"""Rules as a file: out and in again, strictly, all or none, and here or elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from jsonschema import Draft202012Validator

from accounts.models import Account, Connection, Workspace
from automation import services
from automation.api.rule_file import file_schema
from automation.models import Rule, RuleLeg, Trigger
from automation.services.rules_as_code import FORMAT
from automation.services.strict_yaml import dump, load
from tests.fixtures_api import account, bank_slug, connection

pytestmark = pytest.mark.django_db
SCHEMA = Path(__file__).parents[2] / "docs" / "rule.schema.json"


def gbp(amount: str) -> dict[str, str]:
    return {"asset": "GBP/2", "amount": amount}


def leg(held: Account, role: str, **more: Any) -> dict[str, Any]:
    return {"account": str(held.pk), "role": role, **more}


class Home:
    """A workspace with an account at a bank, two pots and two rules."""

    def __init__(self, name: str) -> None:
        self.workspace = Workspace.objects.create(name=name)
        bank = connection(self.workspace, bank_slug())
        self.main = account(bank, "Main", 1_000_00)
        self.rent = account(bank, "Rent", 0, kind="pot", parent=self.main)
        self.fun = account(bank, "Fun", 0, kind="pot", parent=self.main)

    def write(self, name: str, *legs: dict[str, Any], **more: Any) -> Rule:
        data = {"name": name, "kind": "autosort", "legs": list(legs), **more}
        return services.write_rule(self.workspace, data)

    def payday(self) -> Rule:
        return self.write(
            "Payday",
            leg(self.main, "source", keep=gbp("100.00")),
            leg(self.rent, "priority", strategy="fixed", amount=gbp("650.50")),
            leg(self.fun, "investment", strategy="share", share="0.70"),
            triggers=[
                {"kind": "payday", "min_amount": gbp("1000.00"), "pattern": "ACME"},
                {"kind": "monthly", "day": "last", "hour": 7},
            ],
            limits={"per_day": gbp("2000.00")},
        )

    def export(self) -> str:
        return services.export_rules(self.workspace)


@pytest.fixture
def home() -> Home:
    return Home("home")


@pytest.fixture
def payday(home) -> Rule:
    return home.payday()


def kinds(changes) -> list[str]:
    return [change.kind for change in changes]


def refused(home: Home, text: str) -> dict[str, str]:
    """Return code by place of everything that is wrong; nothing may have been kept."""
    before = home.export()
    with pytest.raises(services.RuleInvalid) as caught:
        services.import_rules(home.workspace, text)
    assert home.export() == before
    return {problem.field: problem.code for problem in caught.value.problems}


def edited(text: str, change) -> str:
    data = load(text)
    change(data["rules"][0])
    return dump(data)


# -- out


def test_a_file_names_accounts_by_their_place_at_the_provider(home, payday):
    (told,) = load(home.export())["rules"]

    assert told["legs"][0]["account"] == {
        "name": "Main",
        "provider": home.main.provider,
        "external_id": home.main.external_id,
        "id": str(home.main.pk),
    }
    assert told["legs"][1]["amount"] == gbp("650.50")
    assert told["legs"][2]["share"] == "0.7"


def test_a_file_holds_nothing_that_nobody_can_write(home, payday):
    (told,) = load(home.export())["rules"]

    assert not told.keys() & {"workspace", "created", "updated", "next_due_at"}


def test_archived_rules_and_other_workspaces_stay_out(home, payday):
    Home("elsewhere").payday()
    gone = home.write(
        "Gone", leg(home.main, "source"), leg(home.fun, "investment", strategy="equal")
    )
    Rule.objects.filter(pk=gone.pk).update(archived_at=gone.created)

    assert [rule["name"] for rule in load(home.export())["rules"]] == ["Payday"]


# -- in


def test_importing_what_was_exported_changes_nothing(home, payday):
    stamp = payday.updated, set(payday.triggers.values_list("pk", flat=True))
    legs = set(payday.legs.values_list("pk", flat=True))

    found = services.import_rules(home.workspace, home.export())

    payday.refresh_from_db()
    assert kinds(found) == ["same"]
    assert stamp == (payday.updated, set(payday.triggers.values_list("pk", flat=True)))
    assert legs == set(payday.legs.values_list("pk", flat=True))


def test_an_empty_workspace_gets_every_rule(home, payday):
    text = home.export()
    RuleLeg.objects.all().delete()
    Trigger.objects.all().delete()
    Rule.objects.all().delete()

    assert kinds(services.import_rules(home.workspace, text)) == ["new"]
    assert kinds(services.import_rules(home.workspace, text)) == ["same"]
    assert Rule.objects.count() == 1


def test_a_rule_is_that_of_its_id_also_when_it_is_renamed(home, payday):
    text = edited(home.export(), lambda rule: rule.update(name="Salary"))

    (change,) = services.import_rules(home.workspace, text)

    assert (change.kind, change.rule.pk) == ("changed", payday.pk)
    assert Rule.objects.get().name == "Salary"


def test_without_an_id_a_rule_is_the_one_of_its_name(home, payday):
    def change(rule):
        del rule["id"]
        rule["priority"] = 5

    (change,) = services.import_rules(home.workspace, edited(home.export(), change))

    assert (change.kind, change.rule.pk) == ("changed", payday.pk)
    assert Rule.objects.get().priority == 5


def test_a_name_that_several_rules_have_says_nothing(home, payday):
    home.payday()
    text = edited(
        services.export_rules(home.workspace, [payday]), lambda r: r.pop("id")
    )

    assert refused(home, text) == {"rules.0": "ambiguous_name"}


def test_another_installation_finds_its_own_accounts(home, payday):
    """The same bank, connected there: other ids, the same places at the provider."""
    text = home.export()
    there = Home("there")
    Account.objects.filter(workspace=home.workspace).update(automates=False)
    for mine, theirs in (
        (home.main, there.main),
        (home.rent, there.rent),
        (home.fun, there.fun),
    ):
        Account.objects.filter(pk=theirs.pk).update(external_id=mine.external_id)

    (change,) = services.import_rules(there.workspace, text)

    assert change.kind == "new"
    assert [row.account_id for row in change.rule.legs.all()] == [
        there.main.pk,
        there.rent.pk,
        there.fun.pk,
    ]
    assert kinds(services.import_rules(there.workspace, text)) == ["same"]


def test_somebody_elses_accounts_are_as_good_as_none(home, payday):
    there = Home("there")

    with pytest.raises(services.RuleInvalid) as caught:
        services.import_rules(there.workspace, home.export())

    assert {problem.code for problem in caught.value.problems} == {"unknown_account"}
    assert not Rule.objects.filter(workspace=there.workspace).exists()


def test_the_account_that_moves_money_is_meant_where_two_connections_show_it(
    home, payday
):
    second = Connection.objects.create(
        workspace=home.workspace, provider=home.main.provider, label="again"
    )
    shadow = account(second, "Main again", 0, automates=False)
    Account.objects.filter(pk=shadow.pk).update(external_id=home.main.external_id)

    def change(rule):
        del rule["legs"][0]["account"]["id"]

    text = edited(home.export(), change)

    assert kinds(services.import_rules(home.workspace, text)) == ["same"]


def test_rules_that_follow_each_other_come_in_in_any_order(home, payday):
    home.write(
        "After",
        leg(home.main, "source"),
        leg(home.fun, "investment", strategy="equal"),
        triggers=[{"kind": "after_rule", "rule": str(payday.pk)}],
    )
    data = load(home.export())
    data["rules"].sort(key=lambda rule: rule["name"])  # After, Payday
    assert data["rules"][0]["triggers"][0]["rule"]["name"] == "Payday"
    for rule in data["rules"]:
        rule["name"] += " 2"
        del rule["id"]
    data["rules"][0]["triggers"][0]["rule"] = {"name": "Payday 2"}

    found = services.import_rules(home.workspace, dump(data))

    assert kinds(found) == ["new", "new"]
    after, upstream = (
        Rule.objects.get(name="After 2"),
        Rule.objects.get(name="Payday 2"),
    )
    assert after.triggers.get().upstream_id == upstream.pk


def test_conditions_and_dependencies_are_named_like_everything_else(
    home, payday, validator
):
    instead = home.write(
        "Instead",
        leg(home.main, "source"),
        leg(home.fun, "investment", strategy="equal"),
    )
    other = home.write(
        "Careful",
        leg(home.main, "source"),
        leg(home.fun, "investment", strategy="equal"),
        depends_on=[str(payday.pk)],
        conditions={
            "any": [
                {
                    "account": str(home.rent.pk),
                    "field": "available",
                    "op": "<",
                    "value": gbp("5.00"),
                },
                {"field": "date", "op": ">=", "value": "2026-01-31"},
            ],
            "else": str(instead.pk),
        },
        pay_cycle={"day": "last"},
    )
    text = services.export_rules(home.workspace, [other])

    (told,) = load(text)["rules"]
    assert told["depends_on"] == [{"name": "Payday", "id": str(payday.pk)}]
    assert told["conditions"]["else"]["name"] == "Instead"
    assert told["conditions"]["any"][0]["account"]["name"] == "Rent"
    assert [*validator.iter_errors(yaml.safe_load(text))] == []
    assert kinds(services.import_rules(home.workspace, text)) == ["same"]


def test_one_mistake_keeps_every_rule_of_the_file_out(home, payday):
    data = load(home.export())
    good = json.loads(json.dumps(data["rules"][0])) | {"name": "Good"}
    del good["id"]
    bad = json.loads(json.dumps(good)) | {"name": "Bad", "kind": "magic"}
    data["rules"] = [good, bad]

    assert refused(home, dump(data))["rules.1.kind"] == "unknown_kind"


MISTAKES = {
    "a number for money": (
        lambda r: r["legs"][1].update(amount=65050),
        "rules.0.legs.1.amount",
        "invalid_amount",
    ),
    "minor as a number": (
        lambda r: r["legs"][1].update(amount={"asset": "GBP/2", "minor": 65050}),
        "rules.0.legs.1.amount",
        "invalid_amount",
    ),
    "a share above one": (
        lambda r: r["legs"][2].update(share="70"),
        "rules.0.legs.2.share",
        "invalid_share",
    ),
    "an unknown field": (
        lambda r: r.update(colour="red"),
        "rules.0.colour",
        "unknown_field",
    ),
    "a field nobody writes": (
        lambda r: r.update(created="2026-01-01T00:00:00Z"),
        "rules.0.created",
        "read_only",
    ),
    "a workspace": (
        lambda r: r.update(workspace="x"),
        "rules.0.workspace",
        "read_only",
    ),
    "an id that is none": (lambda r: r.update(id="1"), "rules.0.id", "invalid"),
    "an account that is none": (
        lambda r: r["legs"][0].update(account={"provider": "x", "external_id": "y"}),
        "rules.0.legs.0.account",
        "unknown_account",
    ),
    "an account by name only": (
        lambda r: r["legs"][0].update(account={"name": "Main"}),
        "rules.0.legs.0.account",
        "unknown_account",
    ),
    "an account with a strange word": (
        lambda r: r["legs"][0]["account"].update(colour="red"),
        "rules.0.legs.0.account",
        "invalid_reference",
    ),
    "an account as a number": (
        lambda r: r["legs"][0].update(account=5),
        "rules.0.legs.0.account",
        "invalid_reference",
    ),
    "always too old": (
        lambda r: r.update(max_staleness_seconds=0),
        "rules.0.max_staleness_seconds",
        "out_of_range",
    ),
    "always too late": (
        lambda r: r.update(max_lateness_seconds=59),
        "rules.0.max_lateness_seconds",
        "out_of_range",
    ),
    "no name": (lambda r: r.pop("name"), "rules.0.name", "missing_name"),
    "a name as a number": (lambda r: r.update(name=5), "rules.0.name", "invalid"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_each_mistake_is_named_at_its_place_in_the_file(home, payday, case):
    change, field, code = MISTAKES[case]

    assert refused(home, edited(home.export(), change))[field] == code


FILES = {
    "a list": "- a",
    "no format": "rules: []",
    "another format": "format: balsync/rules/9\nrules: []",
    "a strange word": f"format: {FORMAT}\nrules: []\ncolour: red",
    "no list": f"format: {FORMAT}\nrules: all",
    "an unquoted share": f"format: {FORMAT}\nrules: [{{share: 0.7}}]",
    "nothing": "",
}


@pytest.mark.parametrize("case", FILES)
def test_what_is_no_file_of_rules_is_refused(home, case):
    with pytest.raises(services.YamlError):
        services.import_rules(home.workspace, FILES[case])


def test_the_same_rule_twice_in_a_file_is_refused(home, payday):
    data = load(home.export())
    data["rules"] *= 2

    assert refused(home, dump(data))["rules.1"] == "duplicate_rule"


def test_an_archived_rule_is_not_brought_back_unnoticed(home, payday):
    text = home.export()
    Rule.objects.filter(pk=payday.pk).update(archived_at=payday.created)

    assert refused(home, text) == {"rules.0": "archived"}


# -- the command


@pytest.fixture
def file(home, payday, tmp_path) -> Path:
    path = tmp_path / "rules.yaml"
    call_command("rules", "export", "--output", str(path))
    return path


def edit(file: Path, change) -> None:
    file.write_text(edited(file.read_text(), change))


def test_diff_of_what_was_exported_is_silent_success(file, capsys):
    call_command("rules", "diff", str(file))

    assert capsys.readouterr().out == "same: Payday\n"


def test_diff_shows_what_import_would_change_and_exits_1(home, payday, file, capsys):
    edit(file, lambda rule: rule["legs"][1].update(amount=gbp("700.00")))
    with pytest.raises(SystemExit) as ended:
        call_command("rules", "diff", str(file))

    assert ended.value.code == 1
    out = capsys.readouterr().out
    assert "-    amount: {asset: GBP/2, amount: '650.50'}" in out
    assert "+    amount: {asset: GBP/2, amount: '700.00'}" in out
    payday.refresh_from_db()
    assert payday.legs.get(role="priority").amount == 650_50


def test_import_then_diff_is_silent(payday, file, capsys):
    edit(file, lambda rule: rule.update(priority=7))
    call_command("rules", "import", str(file), "--json")

    (told,) = json.loads(capsys.readouterr().out)
    assert told == {"rule": str(payday.pk), "name": "Payday", "change": "changed"}
    call_command("rules", "diff", str(file))


def test_a_mistake_is_told_with_its_place_and_exits_2(file):
    edit(file, lambda rule: rule.update(kind="magic"))

    with pytest.raises(CommandError, match=r"rules\.0\.kind: ") as caught:
        call_command("rules", "diff", str(file))
    assert caught.value.returncode == 2


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"share: 0.7"])
def test_an_unreadable_file_is_told_by_name(home, tmp_path, content):
    path = tmp_path / "x.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(CommandError) as caught:
        call_command("rules", "import", str(path))
    assert caught.value.returncode == 2


def test_with_several_workspaces_one_must_be_named(home, payday, capsys):
    other = Home("other")
    with pytest.raises(CommandError, match="--workspace"):
        call_command("rules", "export")

    call_command("rules", "export", "--workspace", "home")
    by_name = capsys.readouterr().out
    call_command("rules", "export", "--workspace", str(home.workspace.pk))
    assert capsys.readouterr().out == by_name
    call_command("rules", "export", "--workspace", "other")
    assert load(capsys.readouterr().out)["rules"] == []
    assert other.workspace.name == "other"


def test_export_of_one_rule_by_name(home, payday, capsys):
    home.write(
        "Second",
        leg(home.main, "source"),
        leg(home.fun, "investment", strategy="equal"),
    )

    call_command("rules", "export", "Second")

    (told,) = load(capsys.readouterr().out)["rules"]
    assert told["name"] == "Second"


# -- the schema


def test_the_schema_in_the_documentation_is_today_s(capsys):
    """Made by: python3 manage.py rules schema > docs/rule.schema.json."""
    call_command("rules", "schema")

    assert json.loads(SCHEMA.read_text()) == json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = file_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_what_is_exported_fits_the_schema(home, payday, validator):
    home.write(
        "After",
        leg(home.main, "source"),
        leg(home.fun, "investment", strategy="equal"),
        triggers=[{"kind": "after_rule", "rule": str(payday.pk)}],
    )

    assert [*validator.iter_errors(yaml.safe_load(home.export()))] == []


@pytest.mark.parametrize(
    "change",
    [
        lambda rule: rule.update(colour="red"),
        lambda rule: rule["legs"][1].update(amount=650.5),
        lambda rule: rule["legs"][1].update(amount={"amount": "650.50"}),
        lambda rule: rule["legs"][1].update(amount={"asset": "GBP/2"}),
        lambda rule: rule["legs"][2].update(share=0.7),
        lambda rule: rule["legs"][2].update(share="1.5"),
        lambda rule: rule["legs"][0].update(account=5),
        lambda rule: rule["legs"][0]["account"].update(colour="red"),
        lambda rule: rule.pop("legs"),
        lambda rule: rule["triggers"][0].update(kind="moon"),
    ],
)
def test_the_schema_marks_mistakes_before_an_import_does(
    home, payday, validator, change
):
    data = yaml.safe_load(home.export())
    change(data["rules"][0])

    assert [*validator.iter_errors(data)]
