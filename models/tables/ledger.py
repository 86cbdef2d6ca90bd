"""The ledger."""

from typing import Any

from tortoise import fields

from domain.ledger import Kind
from models.tables.fields import CLOCK, Choice, Money, reference
from models.tables.keys import CompositeKey, TableIndex


class LedgerEntry(CompositeKey):
    """A row of an account's ledger, chained by hash; append only. Partitioned by month of recording."""

    account = reference("Account", db_constraint=False)
    seq = fields.BigIntField(primary_key=True, generated=False)
    kind = Choice(Kind)
    amount = Money()
    balance_after = Money()
    market_time = fields.DatetimeField()
    batch = fields.BigIntField(description="The newest batch when it was written")
    facts: fields.Field[dict[str, Any]] = fields.JSONField(description="What the kind of row needs to be replayed")
    hash = fields.BinaryField(description="sha256 over the row and the hash before it")
    recorded_at = fields.DatetimeField(db_default=CLOCK)

    class Meta:
        table = "ledger"
        primary_key = ("account_id", "seq", "recorded_at")
        indexes = (TableIndex("account_id", "kind", "seq", name="ledger_kind"),)
