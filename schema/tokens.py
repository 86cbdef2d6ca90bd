"""API tokens."""

import json
from datetime import datetime

import strawberry
from strawberry import ID, field

from schema.engine.computed_fields import computed
from schema.engine.row_types import FromRow
from schema.payloads import Payload
from services.principals import Role
from services.views.lists import TOKENS


@strawberry.type(description="What a TRADER token reaches: whatever one of the lists names; with none, its brand.")
class TokenScope:
    owners: list[str] = field(description="Clients.")
    clones: list[str] = field(description="AIs.")
    challenges: list[ID] = field(description="Challenges, with the accounts they come to have.")
    accounts: list[ID] = field(description="Accounts, each by its number.")


@strawberry.input(description="What a TRADER token is to reach: whatever one of the lists names; with none, its brand.")
class TokenScopeInput:
    owners: list[str] = field(default_factory=list, description="Clients.")
    clones: list[str] = field(default_factory=list, description="AIs.")
    challenges: list[ID] = field(default_factory=list, description="Challenges, with the accounts they come to have.")
    accounts: list[ID] = field(default_factory=list, description="Accounts, each by its number.")


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
    stored_scope: strawberry.Private[str]

    @computed("What it reaches.")
    def scope(self) -> TokenScope:
        scope = json.loads(self.stored_scope)
        return TokenScope(
            owners=scope.get("owners", []),
            clones=scope.get("clones", []),
            challenges=[ID(entry) for entry in scope.get("challenges", [])],
            accounts=[ID(entry) for entry in scope.get("accounts", [])],
        )


@strawberry.input(description="A token to make. A MANAGER makes TRADER and CLIENT tokens of its brand.")
class CreateApiTokenInput:
    role: Role = field(description="What it may do.")
    name: str = field(description="Its name.")
    subject: str | None = field(default=None, description="The client a CLIENT token speaks for.")
    brand: str | None = field(default=None, description="The brand of a MANAGER, CLIENT or TRADER token of an ADMIN.")
    scope: TokenScopeInput | None = field(default=None, description="What a TRADER token is to reach; null: its brand.")
    expires_at: datetime | None = field(default=None, description="When it is to end; null: once it is revoked.")


@strawberry.type(description="The new token.")
class CreateApiTokenPayload(Payload):
    token: str | None = field(default=None, description="Its text, shown this once; null if no token was made.")
    api_token: ApiToken | None = field(default=None, description="What is known about it; null if none was made.")


@strawberry.input(description="The first ADMIN token of a desk.")
class BootstrapAdminInput:
    secret: str = field(description="The operator's: PROPDESK_BOOTSTRAP_SECRET.")
    name: str = field(description="Whose token it is; the audit log shows it.")


@strawberry.type(description="The first ADMIN token.")
class BootstrapAdminPayload(Payload):
    token: str | None = field(default=None, description="Its text, shown this once; null if no token was made.")


@strawberry.input(description="A token to end.")
class RevokeApiTokenInput:
    id: ID = field(description="The token.")


@strawberry.type(description="The token that has ended; its open websockets close within seconds.")
class RevokeApiTokenPayload(Payload):
    api_token: ApiToken | None = field(default=None, description="What is known about it; null if none was revoked.")


@strawberry.input(description="Which tokens.")
class ApiTokenFilter:
    role: list[Role] | None = field(default=None, description="Of one of these roles.")
    brand: str | None = field(default=None, description="Of this brand.")
    valid: bool | None = field(default=None, description="Those that still work, or those that do not.")
