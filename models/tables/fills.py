"""Fills."""

from tortoise import fields

from domain.lifecycles import FillStatus
from domain.orders import Verb
from domain.positions import Side
from models.tables.fields import Choice, Cost, Money, Price, Text, reference
from models.tables.keys import CompositeKey, ForeignKey, TableIndex, UniqueIndex


class Fill(CompositeKey):
    """An execution of an order, named by its ledger row."""

    account = reference("Account", db_constraint=False)
    seq = fields.BigIntField(primary_key=True, generated=False)
    order_seq = fields.BigIntField()
    position_seq = fields.BigIntField()
    instrument = reference("Instrument", column="symbol", db_constraint=False, description="Symbol of its order")
    side = Choice(Side)
    verb = Choice(Verb)
    status = Choice(FillStatus, db_default=FillStatus.BOOKED)
    quantity = Money()
    price = Price()
    fee = Money()
    rate = Cost(description="Conversion rate from the quote currency to the account's")
    realised = Money()
    filled_at = fields.DatetimeField()
    batch = fields.BigIntField()
    quote_time = fields.DatetimeField(description="Source time of the quote it was filled at")
    rate_time = fields.DatetimeField(null=True, description="Source time of the rate's oldest quote")
    rate_pairs = Text(db_default="", description="Pairs of the conversion")
    rate_stale = fields.BooleanField(db_default=False, description="Whether the rate was too old to open on")
    cumulative = fields.BooleanField(
        db_default=True, description="Booked with the rests of rounding; false for a fill of the first edition"
    )

    class Meta:
        table = "fills"
        primary_key = ("account_id", "seq")
        constraints = (UniqueIndex(("account_id", "order_seq"), "fills_one_per_order"),)
        indexes = (
            TableIndex("account_id", "position_seq", name="fills_of_position"),
            TableIndex("symbol", "account_id", "seq", name="fills_symbol"),
        )
        foreign_keys = (
            ForeignKey("fills_order", ("account_id", "order_seq"), "orders", ("account_id", "seq")),
            ForeignKey("fills_position", ("account_id", "position_seq"), "positions", ("account_id", "seq")),
        )
