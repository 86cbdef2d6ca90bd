"""Every allowed move, and the refusal of every other."""

from enum import Enum, IntEnum

import pytest

from domain.errors import InvalidTransition
from domain.lifecycles import (
    ACCOUNT_ENDS,
    MOVES,
    AccountStatus,
    ChallengeStatus,
    FillStatus,
    JobStatus,
    OrderStatus,
    PayoutStatus,
    PositionStatus,
    ProgramStatus,
    PurchaseStatus,
    move,
)
from domain.terms import PhaseType

ALLOWED: dict[type[Enum], str] = {
    ProgramStatus: "DISABLED>ACTIVE ACTIVE>DISABLED ACTIVE>ARCHIVED DISABLED>ARCHIVED ARCHIVED>DISABLED",
    PurchaseStatus: (
        "PENDING>PAID PAID>ACCOUNT_CREATED ACCOUNT_CREATED>ACTIVE "
        "PENDING>FAILED PAID>FAILED ACCOUNT_CREATED>FAILED "
        "PAID>REFUNDED ACCOUNT_CREATED>REFUNDED ACTIVE>REFUNDED FAILED>REFUNDED"
    ),
    ChallengeStatus: "PENDING>ACTIVE PENDING>CANCELLED ACTIVE>PASSED ACTIVE>FAILED ACTIVE>CANCELLED FAILED>ACTIVE",
    AccountStatus: (
        "PENDING>ACTIVE ACTIVE>PAUSED PAUSED>ACTIVE PENDING>LOCKED ACTIVE>LOCKED PAUSED>LOCKED "
        "LOCKED>PENDING LOCKED>ACTIVE LOCKED>PAUSED ACTIVE>COMPLETED PAUSED>COMPLETED LOCKED>COMPLETED "
        "ACTIVE>LIQUIDATED PAUSED>LIQUIDATED LOCKED>LIQUIDATED"
    ),
    PayoutStatus: "REQUESTED>APPROVED APPROVED>PAID REQUESTED>REJECTED REQUESTED>CANCELLED",
    JobStatus: "QUEUED>DONE QUEUED>DEAD DEAD>QUEUED",
    OrderStatus: "WORKING>FILLED WORKING>CANCELLED WORKING>REJECTED FILLED>VOID",
    FillStatus: "BOOKED>VOID",
    PositionStatus: "OPEN>CLOSED",
}

MEMBERS: dict[type[Enum], list[Enum]] = {kind: list(kind) for kind in ALLOWED}
PAIRS = [(kind, current, target) for kind, members in MEMBERS.items() for current in members for target in members]


@pytest.mark.parametrize(
    ("kind", "current", "target"), PAIRS, ids=[f"{k.__name__}-{c.name}-{t.name}" for k, c, t in PAIRS]
)
def test_a_move_is_in_the_table_or_refused(kind: type[Enum], current: Enum, target: Enum) -> None:
    if f"{current.name}>{target.name}" in ALLOWED[kind].split():
        assert move("thing", current, target) is target
    else:
        with pytest.raises(InvalidTransition) as refused:
            move("thing", current, target)
        assert refused.value.facts == {"thing": "thing", "current": current.name, "target": target.name}


def test_every_table_is_checked_here() -> None:
    assert set(MOVES) == set(ALLOWED)


def test_an_ended_account_goes_nowhere() -> None:
    assert {current for current, _ in MOVES[AccountStatus]}.isdisjoint(ACCOUNT_ENDS)


INTEGERS: dict[type[IntEnum], list[str]] = {
    ProgramStatus: ["ACTIVE", "DISABLED", "ARCHIVED"],
    PurchaseStatus: ["PENDING", "PAID", "ACCOUNT_CREATED", "ACTIVE", "FAILED", "REFUNDED"],
    ChallengeStatus: ["PENDING", "ACTIVE", "PASSED", "FAILED", "CANCELLED"],
    PhaseType: ["EVALUATION", "FUNDED"],
}


@pytest.mark.parametrize("kind", INTEGERS, ids=lambda kind: kind.__name__)
def test_integers_are_the_source_s(kind: type[IntEnum]) -> None:
    assert {member.name: member.value for member in kind} == {name: i for i, name in enumerate(INTEGERS[kind])}
