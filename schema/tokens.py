"""API tokens."""

from datetime import datetime

import strawberry
from strawberry import ID, field

from schema.payloads import Payload
from schema.rows import FromRow
from services.principals import Role
from services.views.lists import TOKENS


@strawberry.type(description="A token, without its secret.")
class ApiToken(FromRow, listing=TOKENS):
    id: ID = field(description="Its number.")
    brand: str | None = field(description="The brand it cannot look beyond; null for ADMIN and FEED.")
    role: Role = field(description="What it may do.")
    name: str = field(description="Its name.")
    subject: str | None = field(description="The client a CLIENT token speaks for.")
    prefix: str = field(description="How its text begins.")
    created_at: datetime = field(description="When it was made.")
    expires_at: datetime | None = field(description="When it ends.")
    revoked_at: datetime | None = field(description="When it was revoked.")
    last_used_at: datetime | None = field(description="When it was last used, to the minute.")


@strawberry.input(description="A token to make. A MANAGER makes TRADER and CLIENT tokens of its brand.")
class CreateApiTokenInput:
    role: Role = field(description="What it may do.")
    name: str = field(description="Its name.")
    subject: str | None = field(default=None, description="The client a CLIENT token speaks for.")
    brand: str | None = field(default=None, description="The brand of a MANAGER, CLIENT or TRADER token of an ADMIN.")


@strawberry.type(description="The new token.")
class CreateApiTokenPayload(Payload):
    token: str | None = field(default=None, description="Its text, shown this once; null if no token was made.")
    api_token: ApiToken | None = field(default=None, description="What is known about it; null if none was made.")
