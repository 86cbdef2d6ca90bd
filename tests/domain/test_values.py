"""Values changed by making another are those that `dataclasses.replace` makes."""

import dataclasses
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from domain.values import lazy, replace
from tests.domain.builders import NOON, a_challenger, a_quote


@dataclass(frozen=True)
class Sum:
    left: int
    right: int = 1

    @lazy
    def total(self) -> int:
        """What both make."""
        return self.left + self.right


def test_the_value_changed_is_the_one_that_the_constructor_would_have_made() -> None:
    before = a_challenger("100", "90")
    changes: dict[str, Any] = {"cash": Decimal(5), "marked_at": NOON}
    assert replace(before, **changes) == dataclasses.replace(before, **changes)
    assert replace(before) == before and replace(before) is not before


def test_what_was_computed_of_a_value_is_computed_anew_of_the_one_made_of_it() -> None:
    once = Sum(2)
    assert (once.total, once.total, replace(once, right=5).total) == (3, 3, 7)
    assert replace(once) == once == Sum(2)
    quote = a_quote("1.1", "1.1")
    assert quote.mid == Decimal("1.1")
    assert replace(quote, bid=Decimal(3), ask=Decimal(5)).mid == 4


def test_a_field_that_is_not_there_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="Sum has no such field"):
        replace(Sum(2), total=5)  # type: ignore[call-arg]


def test_a_frozen_value_stays_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Sum(2).left = 3  # type: ignore[misc]
