"""Ids in and out: whole numbers as text, and `account-seq` for what the ledger names."""

import re

from strawberry import ID

INT64_MAX = 2**63 - 1

_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_EPOCH = re.compile(r"[1-9a-f][0-9a-f]{0,7}")


def parse_id(text: str) -> int | None:
    """The number an id stands for; None for text that no object has as its id."""
    if not _NUMBER.fullmatch(text) or int(text) > INT64_MAX:
        return None
    return int(text)


def parse_ledger_id(text: str) -> tuple[int, int] | None:
    """Account and seq of an `account-seq`; None for any other text."""
    account, _, seq = text.partition("-")
    numbers = parse_id(account), parse_id(seq)
    return (numbers[0], numbers[1]) if numbers[0] is not None and numbers[1] is not None else None


def format_cursor(place: str, epoch: int) -> str:
    """The cursor of an event at that place; in the first epoch, which most desks never leave, the place alone."""
    return f"{place}-e{epoch:x}" if epoch else place


def parse_cursor(cursor: str) -> tuple[str, int]:
    """The place and the epoch that a cursor names. The place is text to be read on; a malformed epoch stays in it."""
    place, mark, epoch = cursor.rpartition("-e")
    return (place, int(epoch, 16)) if mark and _EPOCH.fullmatch(epoch) else (cursor, 0)


def ledger_id(account: int, seq: int | None) -> ID | None:
    """The id of what the ledger row `seq` made."""
    return None if seq is None else ID(f"{account}-{seq}")
