"""Rules to start from: what each does in plain words, what it asks, what it writes.

A template is one entry of TEMPLATES. What it builds goes through `write_rule` like any
rule that somebody writes, so nothing here can do what a rule may not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from accounts.models import Account
from providers.money import Asset

Answers = Mapping[str, Any]  # accounts as rows, everything else as text
ACCOUNT, POT, AMOUNT, CHOICE, TEXT = "account", "pot", "amount", "choice", "text"

DAYS = [(str(day), f"day {day}") for day in range(1, 29)] + [("last", "the last day")]
WEEKDAYS = list(
    zip(
        "1234567",
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        strict=True,
    )
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing that a template wants to know; `place` is where it ends up."""

    name: str
    label: str
    kind: str
    place: str
    help: str = ""
    initial: str = ""
    required: bool = True
    choices: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A rule with blanks."""

    slug: str
    title: str
    icon: str  # of the theme's own set
    summary: str
    steps: tuple[str, ...]
    asks: tuple[Ask, ...]
    build: Callable[[Answers], dict[str, Any]]

    def field_of(self, problem: str) -> str | None:
        """Return the question that a refused field goes back to, if one does."""
        for ask in self.asks:
            if problem in (ask.place, f"{ask.place}.amount"):
                return ask.name
        return None

    def rule(self, answers: Answers) -> dict[str, Any]:
        """Return the rule that the answers make, as `write_rule` takes it."""
        name = answers.get("name") or self.title
        blanks = {"name": name, "enabled": False, "asset": answers["account"].asset}
        if answers.get("timezone"):
            blanks["timezone"] = answers["timezone"]
        return blanks | self.build(answers)


def money(answers: Answers, name: str) -> dict[str, str] | None:
    """Return a typed amount in the asset of the account; None where it is empty."""
    amount = answers.get(name)
    return {"asset": answers["account"].asset, "amount": amount} if amount else None


def leg(account: Account, role: str, **more: Any) -> dict[str, Any]:
    told = {key: value for key, value in more.items() if value is not None}
    return {"account": str(account.pk), "role": role, **told}


def whole(answers: Answers, units: str) -> dict[str, str]:
    """Return so many whole units: `1` is £1.00, and 1 where there are no cents."""
    unit = Asset.parse(answers["account"].asset)
    return {"asset": str(unit), "minor": str(int(units) * 10**unit.decimals)}


FROM = Ask(
    "account", "From which account", ACCOUNT, "legs.0.account", "Where the money is."
)
KEEP = Ask(
    "keep",
    "Always leave in it",
    AMOUNT,
    "legs.0.keep",
    "No run takes it below this.",
    "100.00",
)


def payday(answers: Answers) -> dict[str, Any]:
    trigger = {"kind": "payday", "min_amount": money(answers, "income")}
    if answers.get("payer"):
        trigger["pattern"] = answers["payer"]
    return {
        "kind": "autosort",
        "legs": [
            leg(answers["account"], "source", keep=money(answers, "keep")),
            leg(
                answers["bills"],
                "bills",
                strategy="fixed",
                amount=money(answers, "bills_amount"),
                order=1,
            ),
            leg(
                answers["savings"],
                "investment",
                strategy="share",
                share=answers["share"],
                order=2,
            ),
        ],
        "rest": "keep",
        "triggers": [trigger],
    }


PAYDAY = Template(
    slug="payday",
    title="Payday",
    icon="payments",
    summary="When your pay arrives, put bills and savings aside before you spend it.",
    steps=(
        "Watches the account for your pay, once per pay cycle.",
        "Leaves what you say always stays.",
        "Moves the amount for your bills into their pot.",
        "Moves a part of what is then left into savings; the rest is yours to spend.",
    ),
    asks=(
        FROM,
        Ask(
            "income",
            "Pay is at least",
            AMOUNT,
            "triggers.0.min_amount",
            "Smaller payments do not count as pay.",
        ),
        Ask(
            "payer",
            "Who pays you",
            TEXT,
            "triggers.0.pattern",
            "A part of the name on the payment. Empty: whoever pays that much.",
            required=False,
        ),
        KEEP,
        Ask("bills", "Pot for bills", POT, "legs.1.account"),
        Ask("bills_amount", "Amount for bills", AMOUNT, "legs.1.amount"),
        Ask("savings", "Pot for savings", POT, "legs.2.account"),
        Ask(
            "share",
            "Of what is left, save",
            CHOICE,
            "legs.2.share",
            choices=(("0.25", "a quarter"), ("0.5", "half"), ("1", "all of it")),
            initial="0.5",
        ),
    ),
    build=payday,
)


def round_ups(answers: Answers) -> dict[str, Any]:
    return {
        "kind": "sweep",
        "legs": [
            leg(
                answers["account"],
                "source",
                strategy="round_ups",
                unit=whole(answers, answers["unit"]),
                multiplier=int(answers["multiplier"]),
                keep=money(answers, "keep"),
            ),
            leg(answers["pot"], "target", order=1),
        ],
        "triggers": [{"kind": "daily", "hour": 20}],
    }


ROUND_UPS = Template(
    slug="round-ups",
    title="Round-ups",
    icon="toll",
    summary="Save the change: round every card payment up and keep the difference.",
    steps=(
        "Looks every evening at the card payments that have settled since last time.",
        "Adds up what each lacks to the next whole amount.",
        "Moves that into the pot, as far as the account can spare it.",
    ),
    asks=(
        FROM,
        Ask("pot", "Into which pot", POT, "legs.1.account"),
        Ask(
            "unit",
            "Round up to whole",
            CHOICE,
            "legs.0.unit",
            choices=(("1", "1"), ("5", "5"), ("10", "10")),
            initial="1",
        ),
        Ask(
            "multiplier",
            "Times",
            CHOICE,
            "legs.0.multiplier",
            "Twice the change saves twice as fast.",
            choices=[(n, f"{n} ×") for n in ("1", "2", "3", "5", "10")],
            initial="1",
        ),
        KEEP,
    ),
    build=round_ups,
)


def bills(answers: Answers) -> dict[str, Any]:
    return {
        "kind": "topup",
        "legs": [
            leg(answers["account"], "source", keep=money(answers, "keep")),
            leg(
                answers["pot"],
                "target",
                strategy="to_target",
                target=money(answers, "target"),
                order=1,
            ),
        ],
        "on_short": "partial",
        "triggers": [
            {"kind": "monthly", "day": answers["day"], "business_day": "previous"}
        ],
    }


BILLS = Template(
    slug="bills",
    title="Bills",
    icon="receipt_long",
    summary="Once a month, fill the bills pot up to what your bills come to.",
    steps=(
        "Runs on the day you choose; on a weekend, on the Friday before.",
        "Moves only what the pot lacks: what is still in it counts.",
        "If the account cannot spare that much, moves what it can.",
    ),
    asks=(
        FROM,
        KEEP,
        Ask("pot", "Pot for bills", POT, "legs.1.account"),
        Ask("target", "Fill it up to", AMOUNT, "legs.1.target"),
        Ask(
            "day",
            "Every month on",
            CHOICE,
            "triggers.0.day",
            choices=DAYS,
            initial="1",
        ),
    ),
    build=bills,
)


def emergency_fund(answers: Answers) -> dict[str, Any]:
    return {
        "kind": "topup",
        "legs": [
            leg(answers["account"], "source", keep=money(answers, "keep")),
            leg(
                answers["pot"],
                "target",
                strategy="to_target",
                target=money(answers, "target"),
                amount=money(answers, "amount"),
                order=1,
            ),
        ],
        "on_short": "partial",
        "triggers": [{"kind": "weekly", "weekday": int(answers["weekday"])}],
    }


EMERGENCY_FUND = Template(
    slug="emergency-fund",
    title="Emergency fund",
    icon="health_and_safety",
    summary="A little every week, until a pot holds what you want in an emergency.",
    steps=(
        "Runs once a week and moves at most the amount you choose.",
        "Never takes the account below what you say always stays.",
        "Stops by itself when the pot is full, and goes on after you have used it.",
    ),
    asks=(
        FROM,
        KEEP,
        Ask("pot", "Into which pot", POT, "legs.1.account"),
        Ask("target", "Until it holds", AMOUNT, "legs.1.target"),
        Ask("amount", "At most every week", AMOUNT, "legs.1.amount"),
        Ask(
            "weekday",
            "Every",
            CHOICE,
            "triggers.0.weekday",
            choices=WEEKDAYS,
            initial="1",
        ),
    ),
    build=emergency_fund,
)

TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {each.slug: each for each in (PAYDAY, ROUND_UPS, BILLS, EMERGENCY_FUND)}
)
