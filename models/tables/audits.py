"""The audit."""

from typing import Any

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.tables.fields import Identity, Text
from models.tables.keys import TableIndex


class AuditEntry(Model):
    """A change by a manager or an admin, with its reason, chained by hash. Append only."""

    id = Identity()
    chain = Text(description="Brand; empty for changes that belong to no brand")
    seq = fields.BigIntField()
    actor = Text(description="Role and name of the token")
    role = Text()
    operation = Text(description="Name of the mutation")
    object_kind = Text()
    object_id = Text()
    reason = Text()
    before: fields.Field[dict[str, Any]] = fields.JSONField()
    after: fields.Field[dict[str, Any]] = fields.JSONField()
    request_id = Text()
    recorded_at = fields.DatetimeField()
    hash = fields.BinaryField()

    class Meta:
        table = "audit"
        constraints = (UniqueConstraint(("chain", "seq"), "audit_seq"),)
        indexes = (
            TableIndex("chain", "id", name="audit_chain"),
            TableIndex("chain", "object_kind", "id", name="audit_object_kind"),
            TableIndex("chain", "object_id", "id", name="audit_object_id"),
            TableIndex("chain", "actor", "id", name="audit_actor"),
            TableIndex("chain", "operation", "id", name="audit_operation"),
            TableIndex("request_id", name="audit_request"),
            TableIndex("recorded_at", name="audit_recorded_at"),
            TableIndex("chain", "recorded_at", name="audit_chain_recorded_at"),
        )


class AuditHead(Model):
    """The newest row of each audit chain."""

    chain = Text(primary_key=True)
    seq = fields.BigIntField()
    head = fields.BinaryField()

    class Meta:
        table = "audit_heads"
