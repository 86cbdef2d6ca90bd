"""Proposals before any gate: which can be judged, and what is said of the others."""

from dataclasses import fields

import pytest

from domain.orders import Action
from domain.proposals import NotText, fault_of, understood, with_storable_texts
from tests.domain.builders import an_action


def test_words_are_understood_in_any_case() -> None:
    action = understood(an_action(action=" open", side="Long", order="limit", symbol="eurusd"))
    assert (action.action, action.side, action.order, action.symbol) == ("OPEN", "LONG", "LIMIT", "eurusd")
    assert understood(action) is action


FAULTS: list[tuple[str, Action, str, str]] = [
    ("a Boolean for a number", an_action(quantity=NotText("true")), "INVALID_ACTION", "quantity must be text"),
    ("a list for a price", an_action(stop_loss=NotText("[1]")), "INVALID_ACTION", "stopLoss must be text"),
    ("no symbol", an_action(symbol=NotText("null")), "INVALID_ACTION", "symbol must be text"),
    ("an empty id", an_action(action_id=" "), "INVALID_ACTION", "actionId must not be empty"),
    ("half a character", an_action(reference="\ud800"), "INVALID_ACTION", "reference holds a character"),
    ("a long symbol", an_action(symbol="x" * 201), "INVALID_ACTION", "symbol is longer than 200"),
    ("no verb at all", an_action(action="BUY"), "UNSUPPORTED_ACTION", "no such action"),
    ("no verb", an_action(action=""), "UNSUPPORTED_ACTION", "no such action"),
]


@pytest.mark.parametrize(("action", "code", "message"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_what_cannot_be_judged_is_named(action: Action, code: str, message: str) -> None:
    refusal = fault_of(action)
    assert refusal and refusal.code == code
    assert message in refusal.message
    answered = with_storable_texts(action)
    assert answered.action_id.encode() is not None
    assert not any(type(getattr(answered, field.name)) is NotText for field in fields(Action))


@pytest.mark.parametrize("changes", [{}, {"action": "HOLD"}, {"action": "CANCEL"}, {"quantity": "x"}, {"side": "UP"}])
def test_what_a_gate_can_judge_is_left_to_it(changes: dict[str, str]) -> None:
    assert fault_of(an_action(**changes)) is None
