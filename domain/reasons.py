"""Reasons of acts by hand: an internal text for the firm, and a shown text for the client and the trader.

The internal text stands in the audit alone. What outsiders read (ledgers, orders, payouts, events) has a code and the
shown text; without one, a neutral text of the code.
"""

from dataclasses import dataclass

from domain.ledger import Facts, Kind

BY_HAND, REQUESTED = "BY_HAND", "REQUESTED"
TEXTS = {
    BY_HAND: "By decision of the firm.",
    "CANCELLED": "The firm called the challenge off.",
    "REFUNDED": "The firm gave the price back.",
    "PURCHASE_FAILED": "The firm called the purchase off.",
    "PROGRAM_DELETED": "The firm withdrew the program.",
    "ACTIVATION_FAILED": "The challenge could not be activated.",
    "REINSTATED": "The firm set the verdict aside.",
    "PAYOUT_REJECTED": "The firm turned the payout down.",
    "PAYOUT_CANCELLED": "The firm withdrew the payout.",
}
"""By code what is told where nobody said anything to be shown."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason; `shown` is None if nobody gave a text for the client."""

    internal: str
    shown: str | None = None

    def told(self, code: str) -> str:
        """Return what the client and the trader read."""
        return self.shown or TEXTS[code]

    @property
    def content(self) -> Facts:
        """The texts as a receipt keeps them: what came without one to be shown is the same request as ever."""
        return {"reason": self.internal} | ({"shownReason": self.shown} if self.shown is not None else {})

    @property
    def facts(self) -> Facts:
        """The reason as a ledger or a breach says it."""
        return {"reason": BY_HAND, "shown": self.told(BY_HAND)}


PURCHASE_FAILED = "prop.purchase.failed"


def shown_event(name: str, payload: Facts) -> Facts:
    """Return an event's payload as everybody reads it.

    In the first edition one event could bear an internal text, and had no code beside it; the others always bore what
    the client was told.
    """
    if name != PURCHASE_FAILED or "reason" not in payload or "end_reason" in payload:
        return payload
    return payload | {"reason": TEXTS["PURCHASE_FAILED"]}


# What rows of the first edition say: the internal text under the name of the code. They are hashed, so they stay.
_OLD_KINDS = {
    Kind.ACCOUNT_PAUSED: BY_HAND,
    Kind.ACCOUNT_RESUMED: BY_HAND,
    Kind.ACCOUNT_LOCKED: BY_HAND,
    Kind.ACCOUNT_UNLOCKED: BY_HAND,
    Kind.ACCOUNT_CLOSING: BY_HAND,
    Kind.CORRECTION: BY_HAND,
    Kind.ADJUSTMENT: BY_HAND,
    Kind.ORDER_CANCELLED: REQUESTED,
}
_CODES = {
    *TEXTS, REQUESTED, "CHALLENGE_CANCELLED", "CLOSE_DAY", "COMPLETION", "LIQUIDATION", "PHASE_ENDED",
    "POSITION_CLOSED", "POSITION_VOIDED", "REMOVED", "REPLACED",
}  # fmt: skip
INTERNAL_KINDS = frozenset({*_OLD_KINDS, Kind.MARK_FAILED})
"""Rows of a ledger whose facts outsiders may not read as they are."""


def shown_facts(facts: Facts, code: str) -> Facts:
    """Return facts without a reason's internal text, which becomes the code. What says what is shown has none."""
    if "reason" not in facts or "shown" in facts or facts["reason"] in _CODES:
        return facts
    return facts | {"reason": code}


def shown_row(kind: str, facts: Facts) -> Facts:
    """Return a ledger row's facts as outsiders read them: no internal text, and nothing of the program's own faults."""
    if kind == Kind.MARK_FAILED:
        return {name: fact for name, fact in facts.items() if name not in ("error", "message")}
    return shown_facts(facts, _OLD_KINDS[Kind(kind)]) if kind in _OLD_KINDS else facts
