"""Orders."""

from typing import Any

from tortoise import fields
from tortoise.fields.db_defaults import SqlDefault

from domain.lifecycles import OrderStatus
from domain.orders import OrderType, Verb
from domain.positions import Side
from models.tables.fields import Choice, Money, Price, Text, reference
from models.tables.keys import CompositeKey, TableIndex


class Order(CompositeKey):
    """An order, named by the ledger row that placed it."""

    account = reference("Account", db_constraint=False)
    seq = fields.BigIntField(primary_key=True, generated=False)
    action_seq = fields.BigIntField(
        null=True, description="Seq of the action that placed it; null for an order of the desk"
    )
    instrument = reference("Instrument", column="symbol", db_constraint=False)
    side = Choice(Side)
    verb = Choice(Verb)
    quantity = Money()
    status = Choice(OrderStatus)
    reason = Text()
    placed_at = fields.DatetimeField()
    batch = fields.BigIntField()
    type = Choice(OrderType)
    price = Price(null=True, description="Trigger price; null for MARKET")
    stop_loss = Price(null=True, description="Level for the position that it opens or increases")
    take_profit = Price(null=True, description="Level for the position that it opens or increases")
    ended_at = fields.DatetimeField(null=True)
    outcome: fields.Field[dict[str, Any]] = fields.JSONField(
        db_default=SqlDefault("'{}'"), description="Reason of its cancellation, or the gate that rejected it"
    )
    origin = fields.BigIntField(null=True, description="Seq of the first version of an amended order")

    class Meta:
        table = "orders"
        primary_key = ("account_id", "seq")
        indexes = (
            TableIndex("symbol", "account_id", "seq", name="orders_symbol"),
            TableIndex("account_id", "status", "seq", name="orders_status"),
            TableIndex("symbol", "account_id", "seq", name="orders_working", where="status = 'WORKING'"),
            TableIndex("account_id", "origin", name="orders_origin", where="origin is not null"),
        )
