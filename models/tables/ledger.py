"""The ledger."""

from typing import Any

from tortoise import fields

from domain.ledger import Kind
from models.tables.fields import CLOCK, Choice, Money, reference
from models.tables.keys import CompositeKey, TableIndex


class LedgerEntry(CompositeKey):
    """A row of an account's ledger, chained by hash. Append only, partitioned by month of recording."""

    account = reference("Account", db_constraint=False)
    seq = fields.BigIntField(primary_key=True, generated=False)
    kind = Choice(Kind)
    amount = Money()
    balance_after = Money()
    market_time = fields.DatetimeField()
    batch = fields.BigIntField(description="Newest batch at its writing")
    facts: fields.Field[dict[str, Any]] = fields.JSONField(description="Facts of its kind, for a replay")
    hash = fields.BinaryField(description="sha256 of the row and the previous hash")
    recorded_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "ledger"
        primary_key = ("account_id", "seq", "recorded_at")
        indexes = (TableIndex("account_id", "kind", "seq", name="ledger_kind"),)
