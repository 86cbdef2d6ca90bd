"""Reading a proposal before any gate: what cannot be read is refused alone, and neither stored nor remembered."""

from collections.abc import Iterable
from operator import attrgetter
from typing import TypeVar

from domain.frozen import replace
from domain.orders import Action, Refusal, RefusalReason, Verb
from domain.pre_trade import SIDES, TYPES, VERBS
from domain.validation import api_name, text_fault

TEXT_MAX = 200
REQUIRED = ("action_id", "action", "symbol", "side")
OPTIONAL = ("quantity", "lots", "notional", "fraction", "order", "price", "stop_loss", "take_profit", "reference")
NUMBERS = ("quantity", "lots", "notional", "fraction", "price", "stop_loss", "take_profit")
TEXTS = ("action_id", "action", "symbol", "side", "order", "reference")
REFUSED_VERBS = frozenset({"HOLD", "CANCEL"})
"""Decisions that need no order: the desk understands them, and records that it does not support them."""

UNKNOWN_ACTION = RefusalReason("UNSUPPORTED_ACTION", "There is no such action.")
NEITHER_TEXT_NOR_NUMBER = RefusalReason("INVALID_ACTION", "{name} must be text or a number.")
UNUSABLE_TEXT = RefusalReason("INVALID_ACTION", "{name} {fault}.")

_all, _texts, _numbers = attrgetter(*REQUIRED, *OPTIONAL), attrgetter(*TEXTS), attrgetter(*NUMBERS)


class NotText(str):
    """The JSON of a value where a text or a number belongs: a Boolean, a list, an object, or null where required."""

    __slots__ = ()


def understood(action: Action) -> Action:
    """Return the action with its verb, side and order type in capitals: `open` means OPEN."""
    if action.action in VERBS and action.side in SIDES and action.order in TYPES:
        return action
    verb, side, order = _in_capitals(action.action), _in_capitals(action.side), _in_capitals(action.order)
    if (verb, side, order) == (action.action, action.side, action.order):
        return action
    return replace(action, action=verb, side=side, order=order)


Word = TypeVar("Word", str, str | None)


def _in_capitals(word: Word) -> Word:
    return word.strip().upper() if type(word) is str else word


def fault_of(action: Action) -> Refusal | None:
    """Return why the action cannot be judged at all, or None.

    It is refused without a trace: its id is still free for the proposal that was meant.
    """
    if NotText in map(type, _all(action)):
        return _type_fault(action)
    if not (action.action_id.strip() and _are_short(_texts(action))) and (refusal := _text_fault(action)):
        return refusal
    if action.action not in VERBS and action.action not in REFUSED_VERBS:
        return UNKNOWN_ACTION.refusal(", ".join(Verb), action.action[:64])
    return None


def _type_fault(action: Action) -> Refusal | None:
    for name, value in zip((*REQUIRED, *OPTIONAL), _all(action), strict=True):
        if type(value) is NotText:
            return NEITHER_TEXT_NOR_NUMBER.refusal(observed=value[:64], name=api_name(name))
    return None


def _text_fault(action: Action) -> Refusal | None:
    for name, text in zip(TEXTS, _texts(action), strict=True):
        if text is not None and (fault := text_fault(text, TEXT_MAX, empty=name != "action_id")):
            return UNUSABLE_TEXT.refusal(observed=storable(text)[:64], name=api_name(name), fault=fault)
    return None


def _are_short(texts: Iterable[str | None]) -> bool:
    """Return whether all texts can be stored, quickly: together they are ASCII and no longer than one may be."""
    joined = "".join(filter(None, texts))
    return len(joined) <= TEXT_MAX and joined.isascii() and "\0" not in joined


def storable(text: str) -> str:
    """Return the text cut to what PostgreSQL can hold, with a question mark for each character that it cannot."""
    return text[:TEXT_MAX].encode(errors="replace").decode().replace("\0", "?")


def with_storable_numbers(action: Action) -> Action:
    """The action with its unusable numbers cut to what can be stored: the gate that reads one refuses it still."""
    if _are_short(_numbers(action)):
        return action
    numbers = zip(NUMBERS, _numbers(action), strict=True)
    cut = {name: storable(text) for name, text in numbers if text and text_fault(text, TEXT_MAX, empty=True)}
    return replace(action, **cut) if cut else action


def with_storable_texts(action: Action) -> Action:
    """Return an action that is refused unread, as it can be answered."""
    texts = zip((*REQUIRED, *OPTIONAL), _all(action), strict=True)
    return replace(action, **{name: storable(str(text)) for name, text in texts if text is not None})
