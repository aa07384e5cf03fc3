"""What an answer must be before a single figure of it is believed."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import ClassVar, Protocol

from providers.base import Block, Observation, Reading
from providers.money import MoneyError, whole

from .text import clean, is_clean

LONGEST_ID = 100  # characters
LONGEST_BALANCE_ID = 255
LONGEST_HASH = 80
LONGEST_TEXT = 500


class Unacceptable(Exception):
    """The provider's answer contradicts itself or what is known; none of it is used."""

    code: ClassVar[str] = "unacceptable_answer"
    reading: Reading | None = None  # the row that discredits it

    def __init__(self, about: str = "") -> None:
        super().__init__(clean(f"{self.__doc__} {about}".strip(), LONGEST_TEXT))


class UnreadableId(Unacceptable):
    """An account, or what it holds, has no usable id."""

    code = "unreadable_id"


class DuplicateAccount(Unacceptable):
    """An account occurs twice in one answer."""

    code = "duplicate_account"


class WrongAsset(Unacceptable):
    """An account is told in another asset than before."""

    code = "wrong_asset"


class NotMoney(Unacceptable):
    """An amount is no exact whole number of minor units."""

    code = "not_money"


class NegativePot(Unacceptable):
    """An account inside an account cannot hold less than nothing."""

    code = "negative_pot"


class NoSuchParent(Unacceptable):
    """An account is inside one that nobody knows."""

    code = "no_such_parent"


class NoBlock(Unacceptable):
    """What is said of a chain makes no sense."""

    code = "no_block"


class HasAsset(Protocol):
    @property
    def asset(self) -> str: ...


def validate(observation: Observation, known: Mapping[str, HasAsset]) -> None:
    """Raise Unacceptable if one row of `observation` discredits all of it."""
    told = {reading.external_id for reading in observation.readings}
    if len(told) < len(observation.readings):
        raise DuplicateAccount
    for reading in observation.readings:
        try:
            _validate(reading, known, told)
        except Unacceptable as error:
            error.reading = reading
            raise
    for invariant in observation.invariants:
        _amount(invariant.expected)
        _amount(invariant.actual)
        _amount(invariant.actual - invariant.expected)  # it is told to people


def _validate(
    reading: Reading, known: Mapping[str, HasAsset], told: Container[str]
) -> None:
    name = reading.external_id
    _identify(reading, known.get(name))
    if reading.parent is not None:
        if reading.parent not in told and reading.parent not in known:
            raise NoSuchParent(f"{name} in {reading.parent}"[:200])
        if reading.total is not None and reading.total < 0:
            raise NegativePot(f"{name} has {reading.total}")
    if reading.total is not None and reading.available is not None:
        _amount(reading.total)
        _amount(reading.available)
    if _amount(reading.held) < 0:
        raise NotMoney(f"{name} holds back {reading.held}")
    if reading.block is not None:
        _chain(reading, reading.block)


def _chain(reading: Reading, block: Block) -> None:
    if not 0 <= block.number < 2**63 or not is_clean(block.hash, LONGEST_HASH):
        raise NoBlock(repr(block)[:120])
    if reading.unconfirmed is not None:
        _amount(reading.unconfirmed)
    allowances = reading.allowances or ()
    spenders = {allowance.spender for allowance in allowances}
    if len(spenders) < len(allowances):
        raise NoBlock(f"{reading.external_id} names a spender twice")
    for allowance in allowances:
        if not is_clean(allowance.spender, LONGEST_ID):
            raise NoBlock(repr(allowance.spender)[:120])
        if _amount(allowance.amount) < 0:
            raise NotMoney(f"{reading.external_id} allows {allowance.amount}")


def _identify(reading: Reading, before: HasAsset | None) -> None:
    name, told = reading.external_id, reading.balance_id
    if before is None and not is_clean(name, LONGEST_ID):
        raise UnreadableId(repr(name)[:120])
    if before is not None and str(reading.asset) != before.asset:
        raise WrongAsset(f"{name} was in {before.asset}, now in {reading.asset}")
    if told and not is_clean(told, LONGEST_BALANCE_ID):
        raise UnreadableId(repr(told)[:120])


def _amount(value: int) -> int:
    try:
        return whole(value)
    except MoneyError as error:
        raise NotMoney(str(error)) from error
