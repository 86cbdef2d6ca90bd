"""Account groups: a name, a deposit and an execution policy."""

from typing import Any

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from domain.terms import GroupKind
from models.tables.fields import NOW, Choice, Identity, Money, Text, reference
from models.tables.keys import TableIndex


class AccountGroup(Model):
    """A named set of trading conditions for new accounts: deposit and execution policy."""

    id = Identity()
    brand = reference("Brand", column="brand")
    brand_id: str
    name = Text()
    kind = Choice(GroupKind)
    currency = reference("Currency", column="currency")
    currency_id: str
    default_deposit = Money(description="Starting balance of an account of the group")
    policy: fields.Field[dict[str, Any]] = fields.JSONField(description="The execution policy, by its fields' names")
    created_at = fields.DatetimeField(db_default=NOW)
    updated_at = fields.DatetimeField(db_default=NOW)
    version = fields.IntField(db_default=1, description="Raised by every change")

    class Meta:
        table = "account_groups"
        constraints = (UniqueConstraint(("brand", "name"), "account_groups_name"),)
        indexes = (TableIndex("currency", name="account_groups_currency"),)
