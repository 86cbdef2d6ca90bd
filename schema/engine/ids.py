"""Ids as text: whole numbers, and `account-seq` for objects that a ledger row has created."""

import re

from strawberry import ID

INT64_MAX = 2**63 - 1

_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_EPOCH = re.compile(r"[1-9a-f][0-9a-f]{0,7}")


def parse_id(text: str) -> int | None:
    """Return the number of an id; None for text that cannot be an id."""
    if not _NUMBER.fullmatch(text) or int(text) > INT64_MAX:
        return None
    return int(text)


def parse_ledger_id(text: str) -> tuple[int, int] | None:
    """Return account and seq of an id `account-seq`; None for any other text."""
    account, _, seq = text.partition("-")
    numbers = parse_id(account), parse_id(seq)
    return (numbers[0], numbers[1]) if numbers[0] is not None and numbers[1] is not None else None


def format_cursor(place: str, epoch: int) -> str:
    """Return the cursor of an event at that place. In epoch 0, which most desks never leave, it is the place alone."""
    return f"{place}-e{epoch:x}" if epoch else place


def parse_cursor(cursor: str) -> tuple[str, int]:
    """Return the place and the epoch of a cursor. The place is not parsed; a malformed epoch stays part of it."""
    place, mark, epoch = cursor.rpartition("-e")
    return (place, int(epoch, 16)) if mark and _EPOCH.fullmatch(epoch) else (cursor, 0)


def ledger_id(account: int, seq: int | None) -> ID | None:
    """Return the id of the object that the ledger row `seq` has created; None without a row."""
    return None if seq is None else ID(f"{account}-{seq}")
