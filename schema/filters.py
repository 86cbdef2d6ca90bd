"""Conversion of filter inputs into the names and values of the lists."""

from datetime import datetime
from enum import Enum
from typing import Any

from schema.engine.ids import parse_id
from services.views.lists import Filters

IDS = frozenset({"program_id", "wallet_id", "account_id", "challenge_id", "transfer", "parent_id", "purchase_id"})
NO_SUCH_ID = 0


def filters_of(where: Any) -> Filters:
    """Return name and values of each filter field that is set: ids as numbers, enums as stored in the database."""
    if where is None:
        return ()
    return tuple((name, (_value(name, value),)) for name, value in vars(where).items() if value is not None)


def _value(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_value(name, item) for item in value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | bool):
        return value
    return (parse_id(value) or NO_SUCH_ID) if name in IDS else value
