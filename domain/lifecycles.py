"""The life cycles as tables; a move that is not in them is refused. Integers are the source's."""

from enum import Enum, IntEnum, StrEnum
from typing import TypeVar

from domain.errors import InvalidTransition


class ProgramStatus(IntEnum):
    ACTIVE = 0
    DISABLED = 1
    ARCHIVED = 2


class PurchaseStatus(IntEnum):
    PENDING = 0
    PAID = 1
    ACCOUNT_CREATED = 2
    ACTIVE = 3
    FAILED = 4
    REFUNDED = 5


class ChallengeStatus(IntEnum):
    """The status of a challenge, and of each of its phases."""

    PENDING = 0
    ACTIVE = 1
    PASSED = 2
    FAILED = 3
    CANCELLED = 4


class AccountStatus(StrEnum):
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    LOCKED = "LOCKED"
    COMPLETED = "COMPLETED"
    LIQUIDATED = "LIQUIDATED"


class JobStatus(StrEnum):
    QUEUED = "QUEUED"
    DONE = "DONE"
    DEAD = "DEAD"


class PayoutStatus(StrEnum):
    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    PAID = "PAID"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


class ActionStatus(StrEnum):
    EXECUTED = "EXECUTED"
    WORKING = "WORKING"
    REJECTED = "REJECTED"


class FillStatus(StrEnum):
    BOOKED = "BOOKED"
    VOID = "VOID"


class PositionStatus(StrEnum):
    OPEN = "OPEN"
    CLOSED = "CLOSED"


class OrderStatus(StrEnum):
    WORKING = "WORKING"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    VOID = "VOID"


_P, _B, _C, _A, _O = ProgramStatus, PurchaseStatus, ChallengeStatus, AccountStatus, PayoutStatus
_J, _R, _F, _H = JobStatus, OrderStatus, FillStatus, PositionStatus

MOVES: dict[type[Enum], frozenset[tuple[Enum, Enum]]] = {
    _P: frozenset(
        {
            (_P.DISABLED, _P.ACTIVE),
            (_P.ACTIVE, _P.DISABLED),
            (_P.ACTIVE, _P.ARCHIVED),
            (_P.DISABLED, _P.ARCHIVED),
            (_P.ARCHIVED, _P.DISABLED),
        }
    ),
    _B: frozenset(
        {
            (_B.PENDING, _B.PAID),
            (_B.PAID, _B.ACCOUNT_CREATED),
            (_B.ACCOUNT_CREATED, _B.ACTIVE),
            (_B.PENDING, _B.FAILED),
            (_B.PAID, _B.FAILED),
            (_B.ACCOUNT_CREATED, _B.FAILED),
            (_B.PAID, _B.REFUNDED),
            (_B.ACCOUNT_CREATED, _B.REFUNDED),
            (_B.ACTIVE, _B.REFUNDED),
            (_B.FAILED, _B.REFUNDED),
        }
    ),
    _C: frozenset(
        {
            (_C.PENDING, _C.ACTIVE),
            (_C.PENDING, _C.CANCELLED),
            (_C.ACTIVE, _C.PASSED),
            (_C.ACTIVE, _C.FAILED),
            (_C.ACTIVE, _C.CANCELLED),
            (_C.FAILED, _C.ACTIVE),  # of a challenge alone, whose verdict is set aside: its phase has a new run
        }
    ),
    _A: frozenset(
        {
            (_A.PENDING, _A.ACTIVE),
            (_A.ACTIVE, _A.PAUSED),
            (_A.PAUSED, _A.ACTIVE),
            (_A.PENDING, _A.LOCKED),
            (_A.ACTIVE, _A.LOCKED),
            (_A.PAUSED, _A.LOCKED),
            (_A.LOCKED, _A.PENDING),
            (_A.LOCKED, _A.ACTIVE),
            (_A.LOCKED, _A.PAUSED),
            (_A.ACTIVE, _A.COMPLETED),
            (_A.PAUSED, _A.COMPLETED),
            (_A.LOCKED, _A.COMPLETED),
            (_A.ACTIVE, _A.LIQUIDATED),
            (_A.PAUSED, _A.LIQUIDATED),
            (_A.LOCKED, _A.LIQUIDATED),
        }
    ),
    _O: frozenset(
        {
            (_O.REQUESTED, _O.APPROVED),
            (_O.APPROVED, _O.PAID),
            (_O.REQUESTED, _O.REJECTED),
            (_O.REQUESTED, _O.CANCELLED),
        }
    ),
    _J: frozenset({(_J.QUEUED, _J.DONE), (_J.QUEUED, _J.DEAD), (_J.DEAD, _J.QUEUED)}),
    _R: frozenset(
        {
            (_R.WORKING, _R.FILLED),
            (_R.WORKING, _R.CANCELLED),
            (_R.WORKING, _R.REJECTED),
            (_R.FILLED, _R.VOID),
        }
    ),
    _F: frozenset({(_F.BOOKED, _F.VOID)}),
    _H: frozenset({(_H.OPEN, _H.CLOSED)}),
}

ACCOUNT_ENDS = frozenset({AccountStatus.COMPLETED, AccountStatus.LIQUIDATED})

Status = TypeVar("Status", bound=Enum)


def move(thing: str, current: Status, target: Status) -> Status:
    """Return the target, if the life cycle of its kind allows the move; else InvalidTransition names both."""
    if (current, target) not in MOVES[type(target)]:
        raise InvalidTransition(thing=thing, current=current.name, target=target.name)
    return target
