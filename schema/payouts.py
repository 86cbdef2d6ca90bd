"""Payouts of a funded phase's profit, and the conditions for requesting one."""

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


@strawberry.type(description="A payout: profit of a funded account, of which the client receives a share.")
class Payout(FromRow, listing=PAYOUTS):
    id: ID = field(description="Payout id.")
    brand: str = field(description="Name of the brand.")
    client: str = field(description="Client who receives the payout.")
    phase_index: int | None = field(description="Funded phase, counted from 1; null once the program is deleted.")
    account_id: ID = field(description="Number of the account that made the profit.")
    status: PayoutStatus = field(description="State of the payout.")
    currency: str = field(description="Currency code of `profit` and `amount`.")
    profit: Decimal = field(
        description="Gross profit taken from the account, all or part of its profit. It is held until the payout is "
        "decided."
    )
    split: Decimal = field(description="Client's share of the profit, 0.8 for 80 %.")
    amount: Decimal = field(description="Amount that the client receives, rounded to the currency's decimal places.")
    fee_returned: Decimal | None = field(
        description="Price of the purchase, if it was returned with this payout, in the currency of the price; null "
        "if not."
    )
    day: int = field(description="Number of the trading day, within the phase, on which the payout was requested.")
    created_at: datetime = field(description="Time of the request.")
    decided_at: datetime | None = field(description="Time of the approval, rejection or cancellation; null until then.")
    paid_at: datetime | None = field(description="Time of payment; null until then.")
    reason: str | None = field(
        description="Reason for the rejection or cancellation, as shown to the client; null if the client cancelled "
        "without giving one."
    )
    challenge_id: strawberry.Private[int]
    wallet_id: strawberry.Private[int]

    @computed("Challenge that made the profit; null once its program is deleted.")
    async def challenge(self, info: Info) -> Annotated["Challenge", strawberry.lazy("schema.challenges")] | None:
        return await read_one(info, CHALLENGES, self.challenge_id)

    @computed("Wallet that receives the payout; null if the token may not read it.")
    async def wallet(self, info: Info) -> Wallet | None:
        return await read_one(info, WALLETS, self.wallet_id)


@strawberry.type(description="A condition for a payout.")
class PayoutCriterion:
    condition: Condition = field(description="Condition that was checked.")
    met: bool = field(description="True if the condition is met.")
    measured: Decimal = field(description="Current value: an amount in the account's currency, or a count.")
    needed: Decimal = field(description="Required value, in the unit of `measured`.")
    next_at: datetime | None = field(
        description="Earliest time at which the condition can be met, as far as it depends on trading days; null if "
        "it is met or does not depend on them."
    )


@strawberry.type(description="Conditions for requesting a payout, and whether they are met.")
class PayoutEligibility:
    eligible: bool = field(description="True if every condition is met.")
    next_at: datetime | None = field(
        description="Earliest time at which all conditions can be met, as far as they depend on trading days; null if "
        "they do not."
    )
    criteria: list[PayoutCriterion] = field(
        description="All conditions, or only FUNDED_PHASE if no such phase is running."
    )

    @classmethod
    def of(cls, criteria: Sequence[domain.Criterion]) -> Self:
        """Return the eligibility for the API from the domain's criteria."""
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


@strawberry.input(description="Payout request.")
class RequestPayoutInput:
    challenge_id: ID = field(description="Challenge whose funded phase made the profit.")
    amount: Decimal | None = field(
        default=None,
        description="Gross profit to take from the account, including the firm's share, in the account's currency. At "
        "most the profit minus the buffer of the terms; all of that if left out.",
    )
    idempotency_key: str = field(description="Idempotency key. Repeating key and content requests no second payout.")


@strawberry.input(description="Payout to approve.")
class ApprovePayoutInput:
    id: ID = field(description="Payout id. The payout must be REQUESTED.")
    idempotency_key: str = field(description="Idempotency key. Repeating key and content changes nothing more.")


@strawberry.input(description="Payout to reject.")
class RejectPayoutInput:
    id: ID = field(description="Payout id. The payout must be REQUESTED.")
    reason: str = field(description=f"Reason. {INTERNAL}")
    shown_reason: str | None = field(default=None, description=SHOWN)
    idempotency_key: str = field(description="Idempotency key. Repeating key and content changes nothing more.")


@strawberry.input(description="Payout to cancel.")
class CancelPayoutInput:
    id: ID = field(description="Payout id. The payout must be REQUESTED.")
    idempotency_key: str = field(description="Idempotency key. Repeating key and content changes nothing more.")
    reason: str | None = field(
        default=None,
        description="Reason. Text from a client is stored with the payout; text from a manager or admin goes to the "
        "audit, which only the firm's staff can read.",
    )
    shown_reason: str | None = field(default=None, description=f"Only for managers and admins. {SHOWN}")


@strawberry.type(description="Payout after a mutation.")
class PayoutPayload(Payload):
    payout: Payout | None = field(default=None, description="Payout after the request; null if refused.")


@strawberry.type(description="Result of requesting a payout.")
class RequestPayoutPayload(PayoutPayload):
    eligibility: PayoutEligibility | None = field(
        default=None, description="All conditions, if the request was refused because one is not met; otherwise null."
    )

    @classmethod
    def refused(cls, refusal: Refused) -> Self:
        """Return the payload of a refused request, with the conditions if one is not met."""
        lacking = PayoutEligibility.of(refusal.criteria) if isinstance(refusal, PayoutNotEligible) else None
        return cls(user_errors=user_errors(refusal), eligibility=lacking)


@strawberry.type(description="Result of approving a payout; a worker pays it afterwards.")
class ApprovePayoutPayload(PayoutPayload): ...


@strawberry.type(description="Result of rejecting a payout; the profit returns to the account.")
class RejectPayoutPayload(PayoutPayload): ...


@strawberry.type(description="Result of cancelling a payout; the profit returns to the account.")
class CancelPayoutPayload(PayoutPayload): ...


@strawberry.input(description="Filter for payouts.")
class PayoutFilter:
    brand: str | None = field(default=None, description="Only payouts of this brand.")
    status: list[PayoutStatus] | None = field(default=None, description="Only payouts in one of these states.")
    challenge_id: ID | None = field(default=None, description="Only payouts of this challenge.")
    account_id: ID | None = field(default=None, description="Only payouts of this account's profit.")
    client: str | None = field(default=None, description="Only payouts to this client.")
    currency: str | None = field(default=None, description="Only payouts in this currency.")
    created_from: datetime | None = field(default=None, description="Only payouts requested at or after this time.")
    created_before: datetime | None = field(default=None, description="Only payouts requested before this time.")
