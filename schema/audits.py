"""The audit: what managers and admins did."""

from datetime import datetime

import strawberry
from strawberry import ID, field
from strawberry.scalars import JSON

from schema.engine.row_types import FromRow
from schema.engine.scalars import Long
from services.principals import Role
from services.views.lists import AUDIT


@strawberry.type(description="One mutation of a manager or an admin; each brand's are a chain of their own.")
class AuditEvent(FromRow, listing=AUDIT):
    id: ID = field(description="Its number.")
    brand: str | None = field(description="The brand whose chain it is in; null for what belongs to none.")
    seq: Long = field(description="Its place in the chain: 1, 2, 3 and so on.")
    actor: str = field(description="Who did it: the role, and the person or the token's name.")
    role: Role = field(description="As what.")
    operation: str = field(description="The mutation.")
    object_kind: str = field(description="What kind of object it changed.")
    object_id: str = field(description="Which one.")
    reason: str = field(description="Why; empty where none is asked for.")
    before: JSON = field(description="What of the object was changed, as it was.")
    after: JSON = field(description="The same as it became.")
    request_id: str = field(description="The request it came with: what the answer's X-Request-Id said.")
    recorded_at: datetime = field(description="When it was written.")
    hash: str = field(description="The sha256, in hex, of the row before in its chain and this one.")


@strawberry.input(description="Which rows of the audit.")
class AuditFilter:
    brand: str | None = field(default=None, description="Of this brand's chain.")
    object_kind: str | None = field(default=None, description="On objects of this kind.")
    object_id: str | None = field(default=None, description="On this object; name its kind too.")
    actor: str | None = field(default=None, description="By this actor.")
    operation: list[str] | None = field(default=None, description="Of one of these mutations.")
    request_id: str | None = field(default=None, description="Of this request.")
    recorded_from: datetime | None = field(default=None, description="Written at this time or later.")
    recorded_before: datetime | None = field(default=None, description="Written before this time.")
