"""Frozen values: `replace` returns the same as `dataclasses.replace`."""

import dataclasses
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from domain.frozen import cached, fast_init, memoize_last, replace
from domain.orders import ActionResult, Fill, Order
from tests.domain.builders import NOON, a_challenger, a_quote


@dataclass(frozen=True)
class Sum:
    left: int
    right: int = 1

    @cached
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


@fast_init
@dataclass(frozen=True)
class Note:
    text: str
    size: int = 3
    facts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Plain:
    text: str
    size: int = 3
    facts: dict[str, int] = field(default_factory=dict)


def test_a_constructor_that_fills_at_once_takes_and_makes_the_same() -> None:
    kinds: tuple[Any, Any] = (Note, Plain)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        (("a",), {}),
        (("a", 7), {}),
        (("a",), {"facts": {"b": 1}}),
        ((), {"size": 2, "text": "a"}),
    ]
    for given, named in calls:
        note, plain = (kind(*given, **named) for kind in kinds)
        assert list(vars(note).items()) == list(vars(plain).items())
        assert repr(note) == repr(plain).replace("Plain", "Note")
    assert Note("a") == Note(text="a", size=3) != Note("b")
    assert dataclasses.replace(Note("a"), size=4) == replace(Note("a"), size=4) == Note("a", 4)
    for kind in kinds:
        with pytest.raises(TypeError):
            kind()
        with pytest.raises(TypeError):
            kind("a", 1, {}, 5)
        with pytest.raises(TypeError, match="colour"):
            kind("a", colour=1)
        with pytest.raises(dataclasses.FrozenInstanceError):
            kind("a").text = "b"


@pytest.mark.parametrize("kind", [Order, Fill, ActionResult])
def test_every_field_finds_its_place(kind: type[Any]) -> None:
    names = [one.name for one in dataclasses.fields(kind)]
    assert (
        vars(kind(*names)) == vars(kind(**dict(zip(names, names, strict=True)))) == dict(zip(names, names, strict=True))
    )


def test_the_last_answer_is_given_again_to_the_very_same_arguments_only() -> None:
    asked: list[tuple[Any, ...]] = []

    @memoize_last
    def total(*parts: Decimal) -> Decimal:
        asked.append(parts)
        return sum(parts, Decimal(0))

    one, two = Decimal(1), Decimal(2)
    assert total() == 0
    assert [total(one, two), total(one, two), total(two, one), total(one), total(one, two)] == [3, 3, 3, 1, 3]
    assert asked == [(), (one, two), (two, one), (one,), (one, two)]
    assert total(Decimal(1), two) == 3 and len(asked) == 6, "an equal argument may be written otherwise"
    with pytest.raises(TypeError):
        total("a")  # type: ignore[arg-type]
    assert total(one) == 1
