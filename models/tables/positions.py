"""Positions."""

from tortoise import fields

from domain.lifecycles import PositionStatus
from domain.positions import Side
from models.tables.fields import Choice, Cost, Money, Rest, reference
from models.tables.keys import CompositeKey, TableIndex, UniqueIndex


class Position(CompositeKey):
    """A position, named by the ledger row that opened it."""

    account = reference("Account", db_constraint=False)
    seq = fields.BigIntField(primary_key=True, generated=False)
    instrument = reference("Instrument", column="symbol", db_constraint=False)
    side = Choice(Side)
    status = Choice(PositionStatus)
    quantity = Money()
    cost_basis = Cost(description="Cost of its quantity, in the quote currency")
    realised = Money(db_default=0)
    fees = Money(db_default=0)
    opened_at = fields.DatetimeField()
    closed_at = fields.DatetimeField(null=True)
    realised_rest = Rest(db_default=0, description="Exact profit so far less the booked profit")
    fees_rest = Rest(db_default=0, description="Exact fees so far less the booked fees; at most 0")
    whole_quantity = Money(
        null=True, description="Quantity before the first reduction since the last increase; null: not reduced"
    )
    whole_cost = Cost(null=True, description="Cost of that quantity, in the quote currency")

    class Meta:
        table = "positions"
        primary_key = ("account_id", "seq")
        constraints = (UniqueIndex(("account_id", "symbol", "side"), "positions_one_open", "status = 'OPEN'"),)
        indexes = (
            TableIndex("symbol", "account_id", "seq", name="positions_symbol"),
            TableIndex("account_id", "status", "seq", name="positions_status"),
        )
