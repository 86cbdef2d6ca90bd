"""API tokens."""

from typing import Any

from tortoise import fields
from tortoise.fields.db_defaults import SqlDefault
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model

from models.tables.fields import NOW, Identity, Text, reference
from models.tables.keys import TableIndex


class Token(Model):
    """An API token; only the sha256 of its text is kept."""

    id = Identity()
    brand = reference("Brand", column="brand", null=True, description="Null for ADMIN and FEED")
    brand_id: str | None
    role = Text()
    name = Text()
    subject = Text(null=True, description="Client of a CLIENT token")
    prefix = Text(description="First characters of the token, for recognition")
    hash = fields.BinaryField(description="sha256 of the token")
    scope: fields.Field[dict[str, Any]] = fields.JSONField(
        db_default=SqlDefault("'{}'"), description="Scope of a TRADER token: owners, clones, challenges, accounts"
    )
    created_at = fields.DatetimeField(db_default=NOW)
    expires_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "tokens"
        constraints = (UniqueConstraint(("hash",), "tokens_hash_key"),)
        indexes = (TableIndex("brand", "id", name="tokens_brand"),)
