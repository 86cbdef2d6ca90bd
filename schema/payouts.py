"""Payouts: a funded phase's profit on its way to the client, and what one still lacks."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Self

import strawberry
from strawberry import ID, field

from domain import payouts as domain
from domain.errors import Refused
from domain.lifecycles import PayoutStatus
from domain.payouts import Condition, PayoutNotEligible
from schema.engine.computed_fields import computed
from schema.engine.paging import read_one
from schema.engine.request_context import Info
from schema.engine.row_types import FromRow
from schema.inputs import INTERNAL, SHOWN
from schema.payloads import Payload, user_errors
from schema.wallets import Wallet
from services.views.lists import CHALLENGES, PAYOUTS, WALLETS

if TYPE_CHECKING:
    from schema.challenges import Challenge


@strawberry.type(description="A share of a funded account's profit, paid to the client.")
class Payout(FromRow, listing=PAYOUTS):
    id: ID = field(description="Its number.")
    brand: str = field(description="The brand it belongs to.")
    client: str = field(description="Whom it is paid to.")
    phase_index: int | None = field(description="The phase that made the profit; null once its program is deleted.")
    account_id: ID = field(description="The account that made the profit.")
    status: PayoutStatus = field(description="How far it is.")
    currency: str = field(description="Its currency.")
    profit: Decimal = field(
        description="The gross profit that leaves the account: all of it or a part; held until it is decided."
    )
    split: Decimal = field(description="The client's share of it.")
    amount: Decimal = field(description="What the client gets, in whole minor units.")
    fee_returned: Decimal | None = field(
        description="The price of the purchase, if it came back with this payout; in the currency of the price."
    )
    day: int = field(description="The trading day's number in the phase, on which it was requested.")
    created_at: datetime = field(description="When it was requested, or written by the desk.")
    decided_at: datetime | None = field(description="When it was approved, rejected or cancelled.")
    paid_at: datetime | None = field(description="When it was paid.")
    reason: str | None = field(
        description="Why it was rejected or cancelled, as the client is told; null if its client did not say."
    )
    challenge_id: strawberry.Private[int]
    wallet_id: strawberry.Private[int]

    @computed("The challenge that made the profit; null once its program is deleted.")
    async def challenge(self, info: Info) -> Annotated["Challenge", strawberry.lazy("schema.challenges")] | None:
        return await read_one(info, CHALLENGES, self.challenge_id)

    @computed("The wallet it is paid to; null where you may not see it.")
    async def wallet(self, info: Info) -> Wallet | None:
        return await read_one(info, WALLETS, self.wallet_id)


@strawberry.type(description="One condition of a payout.")
class PayoutCriterion:
    condition: Condition = field(description="The condition.")
    met: bool = field(description="Whether it holds.")
    measured: Decimal = field(description="What it is: an amount in the account's currency, or a count.")
    needed: Decimal = field(description="What it must be.")
    next_at: datetime | None = field(
        description="The earliest it can hold, as far as trading days decide; null where it holds or they do not."
    )


@strawberry.type(description="Whether a payout can be requested, condition by condition.")
class PayoutEligibility:
    eligible: bool = field(description="Whether every condition holds.")
    next_at: datetime | None = field(
        description="The earliest they all can, as far as trading days decide; null where they do not."
    )
    criteria: list[PayoutCriterion] = field(
        description="Every condition that the terms name; without a running funded phase that one alone."
    )

    @classmethod
    def of(cls, criteria: Sequence[domain.Criterion]) -> Self:
        """The criteria as the API tells them."""
        return cls(
            eligible=domain.is_met(criteria),
            next_at=max((c.next_at for c in criteria if c.next_at), default=None),
            criteria=[
                PayoutCriterion(
                    condition=c.condition, met=c.met, measured=c.measured, needed=c.needed, next_at=c.next_at
                )
                for c in criteria
            ],
        )


@strawberry.input(description="Whose profit is asked for.")
class RequestPayoutInput:
    challenge_id: ID = field(description="The challenge whose funded phase made it.")
    amount: Decimal | None = field(
        default=None,
        description="The gross profit that leaves the account, the house's share included; at most the profit less the "
        "buffer of the terms, and without it all of that.",
    )
    idempotency_key: str = field(description="The same key and content again requests nothing more.")


@strawberry.input(description="The payout to approve.")
class ApprovePayoutInput:
    id: ID = field(description="The payout; it is REQUESTED.")
    idempotency_key: str = field(description="The same key and content again changes nothing more.")


@strawberry.input(description="The payout to reject.")
class RejectPayoutInput:
    id: ID = field(description="The payout; it is REQUESTED.")
    reason: str = field(description=f"Why. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=SHOWN)
    idempotency_key: str = field(description="The same key and content again changes nothing more.")


@strawberry.input(description="The payout to withdraw.")
class CancelPayoutInput:
    id: ID = field(description="The payout; it is REQUESTED.")
    idempotency_key: str = field(description="The same key and content again changes nothing more.")
    reason: str | None = field(
        default=None,
        description="Why. A client's own words are kept with the payout; a manager's or an admin's in the audit, for "
        "the firm alone.",
    )
    shown_reason: str | None = field(default=None, description=f"Of a manager or an admin. {SHOWN}")


@strawberry.type(description="A payout after a mutation.")
class PayoutPayload(Payload):
    payout: Payout | None = field(default=None, description="The payout as it is now; null if nothing was done.")


@strawberry.type(description="The requested payout, or what it lacks.")
class RequestPayoutPayload(PayoutPayload):
    eligibility: PayoutEligibility | None = field(
        default=None, description="Every condition, where one of them does not hold."
    )

    @classmethod
    def refused(cls, refusal: Refused) -> Self:
        """With the criteria, where they are why."""
        lacking = PayoutEligibility.of(refusal.criteria) if isinstance(refusal, PayoutNotEligible) else None
        return cls(user_errors=user_errors(refusal), eligibility=lacking)


@strawberry.type(description="The approved payout; it is paid by a worker.")
class ApprovePayoutPayload(PayoutPayload): ...


@strawberry.type(description="The rejected payout; its profit is back on the account.")
class RejectPayoutPayload(PayoutPayload): ...


@strawberry.type(description="The withdrawn payout; its profit is back on the account.")
class CancelPayoutPayload(PayoutPayload): ...


@strawberry.input(description="Which payouts.")
class PayoutFilter:
    brand: str | None = field(default=None, description="Of this brand.")
    status: list[PayoutStatus] | None = field(default=None, description="In one of these states.")
    challenge_id: ID | None = field(default=None, description="Of this challenge.")
    account_id: ID | None = field(default=None, description="Of this account's profit.")
    client: str | None = field(default=None, description="To this client.")
    currency: str | None = field(default=None, description="In this currency.")
    created_from: datetime | None = field(default=None, description="Requested at this time or later.")
    created_before: datetime | None = field(default=None, description="Requested before this time.")
