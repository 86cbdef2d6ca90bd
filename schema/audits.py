"""The audit: rows of what managers and admins changed."""

from datetime import datetime

import strawberry
from strawberry import ID, field
from strawberry.scalars import JSON

from schema.engine.row_types import FromRow
from schema.engine.scalars import Long
from services.principals import Role
from services.views.lists import AUDIT


@strawberry.type(
    description="A change made by a manager or an admin. The rows of each brand form a hash chain of their own."
)
class AuditEvent(FromRow, listing=AUDIT):
    id: ID = field(description="Row number.")
    brand: str | None = field(description="Brand whose chain contains the row; null for changes of no brand.")
    seq: Long = field(description="Number of the row in its chain, counted from 1 without gaps.")
    actor: str = field(description="Role and name of the person or token that made the change.")
    role: Role = field(description="Role in which the change was made.")
    operation: str = field(description="Name of the mutation.")
    object_kind: str = field(description="Kind of the changed object, such as `account`.")
    object_id: str = field(description="Id of the changed object.")
    reason: str = field(description="Reason given for the change; empty if the mutation takes none.")
    before: JSON = field(description="Changed fields of the object, before the change.")
    after: JSON = field(description="Changed fields of the object, after the change.")
    request_id: str = field(description="Id of the HTTP request, as returned in its `X-Request-Id` header.")
    recorded_at: datetime = field(description="Time at which the row was written.")
    hash: str = field(description="SHA-256 hash, in hex, over the previous row's hash in the chain and this row.")


@strawberry.input(description="Filter for rows of the audit.")
class AuditFilter:
    brand: str | None = field(default=None, description="Only rows of this brand's chain.")
    object_kind: str | None = field(default=None, description="Only changes of objects of this kind.")
    object_id: str | None = field(
        default=None, description="Only changes of the object with this id; set `objectKind` as well."
    )
    actor: str | None = field(default=None, description="Only changes by this actor, spelt as in `actor`.")
    operation: list[str] | None = field(default=None, description="Only changes by one of these mutations.")
    request_id: str | None = field(default=None, description="Only changes of this HTTP request.")
    recorded_from: datetime | None = field(default=None, description="Only rows written at or after this time.")
    recorded_before: datetime | None = field(default=None, description="Only rows written before this time.")
