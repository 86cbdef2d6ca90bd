"""Payouts."""

from tortoise import fields
from tortoise.models import Model

from domain.lifecycles import PayoutStatus
from models.tables.fields import Choice, Identity, Money, Text, reference
from models.tables.keys import TableIndex, UniqueIndex


class Payout(Model):
    """A payout of profit to a client's wallet."""

    id = Identity()
    brand = reference("Brand", column="brand")
    challenge = reference(
        "Challenge",
        db_constraint=False,
        description="Challenge and phase may be deleted with their program; the payout is kept",
    )
    phase = reference("ChallengePhase", db_constraint=False)
    account = reference("Account")
    wallet = reference("Wallet")
    status = Choice(PayoutStatus)
    currency = Text()
    profit = Money()
    split = Money(description="The client's share, from 0 to 1")
    amount = Money(description="Amount for the client")
    day = fields.IntField(description="Number of the phase's day of the request")
    day_profit = Money(db_default=0, description="Profit of that day at the request")
    created_at = fields.DatetimeField()
    decided_at = fields.DatetimeField(null=True)
    paid_at = fields.DatetimeField(null=True)
    reason = Text(null=True, description="Reason of a rejection")

    class Meta:
        table = "payouts"
        constraints = (UniqueIndex(("challenge_id",), "payouts_one_open", "status in ('REQUESTED', 'APPROVED')"),)
        indexes = (
            TableIndex("challenge_id", name="payouts_challenge"),
            TableIndex("phase_id", name="payouts_phase"),
            TableIndex("account_id", name="payouts_account"),
            TableIndex("wallet_id", "id", name="payouts_wallet"),
            TableIndex("brand", "status", "id", name="payouts_status"),
            TableIndex("brand", "created_at", name="payouts_created_at"),
            TableIndex("brand", "id", name="payouts_brand"),
        )
