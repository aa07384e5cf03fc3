"""One rule of each kind, and what has to be at the bank once it was carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from accounts.models import Account
from automation import services
from automation.models import Rule, RuleRun
from tests.automation.conftest import Person, gbp, leg

Legs = list[tuple[str, str, int]]


@dataclass
class Scene:
    """Somebody with a rule, and what has to be at the bank once it was carried out."""

    person: Person
    rule: Rule
    legs: Legs
    kind: str = ""
    beside: list[Scene] = field(default_factory=list)  # other people's, due with it
    run: RuleRun = field(init=False)

    def __post_init__(self) -> None:
        self.run, _ = services.start_run(self.rule, "once", trigger_kind="payday")

    @property
    def accounts(self) -> list[Account]:
        return [self.person.main, *self.person.pots]

    @property
    def everybody(self) -> list[Scene]:
        return [self, *self.beside]

    @property
    def task(self) -> tuple[str, str | list[str]]:
        ids = [str(each.run.pk) for each in self.everybody]
        return ("execute_runs", ids) if self.beside else ("execute_run", *ids)


def sweep(person: Person) -> Scene:
    """What is above 100.00 leaves the account, then 50.00 a pot: three calls."""
    main, first, second, _ = places(person, 500_00, 80_00)
    rule = person.rule(
        "sweep",
        leg(main, "source", strategy="above", keep=gbp(100_00)),
        leg(first, "source", order=1, strategy="fixed", amount=gbp(50_00)),
        leg(second, "target"),
    )
    legs = [(main, second, 400_00), (first, main, 50_00), (main, second, 50_00)]
    return Scene(person, rule, ends(legs))


def autosort(person: Person) -> Scene:
    main, first, second, third = places(person, 1000_00)
    rule = person.rule(
        "autosort",
        leg(main, "source", keep=gbp(100_00)),
        leg(first, "priority", strategy="fixed", amount=gbp(300_00)),
        leg(second, "investment", order=1, strategy="share", share="0.7"),
        leg(third, "investment", order=2, strategy="equal"),
    )
    legs = [(main, first, 300_00), (main, second, 420_00), (main, third, 180_00)]
    return Scene(person, rule, ends(legs))


def topup(person: Person) -> Scene:
    main, first, _, _ = places(person, 1000_00, 20_00)
    rule = person.rule(
        "topup",
        leg(main, "source"),
        leg(first, "target", strategy="to_target", target=gbp(300_00)),
    )
    return Scene(person, rule, ends([(main, first, 280_00)]))


def pot_to_pot(person: Person) -> Scene:
    """Two calls for one move: out of a pot, and into the other."""
    main, first, second, _ = places(person, 10_00, 90_00)
    rule = person.rule(
        "topup",
        leg(first, "source"),
        leg(second, "target", strategy="fixed", amount=gbp(33_33)),
    )
    legs = [(first, main, 33_33), (main, second, 33_33)]
    return Scene(person, rule, ends(legs))


KINDS: dict[str, Callable[[Person], Scene]] = {
    "sweep": sweep,
    "autosort": autosort,
    "topup": topup,
    "pot to pot": pot_to_pot,
}


# People whose rules are due together: one of them goes on alone after its first leg.
BESIDE = {"side by side": ("topup", "pot to pot", "topup")}


def places(person: Person, *amounts: int):
    """Return the account and the pots of `person`, holding these amounts."""
    found = [person.main, *person.pots]
    for account, amount in zip(found, amounts, strict=False):
        person.fill(account, amount)
    return found


def ends(legs) -> Legs:
    return [(a.external_id, b.external_id, amount) for a, b, amount in legs]
