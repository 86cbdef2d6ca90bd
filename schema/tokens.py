"""API tokens: type, inputs, payloads and filter."""

import json
from datetime import datetime

import strawberry
from strawberry import ID, field

from schema.engine.computed_fields import computed
from schema.engine.row_types import FromRow
from schema.payloads import Payload
from services.principals import Role
from services.views.lists import TOKENS


@strawberry.type(
    description="Scope of a TRADER token: everything that one of the lists names. If all lists are empty, the whole "
    "brand."
)
class TokenScope:
    owners: list[str] = field(description="Clients, including their challenges and accounts.")
    clones: list[str] = field(description="AIs, including the accounts that they trade.")
    challenges: list[ID] = field(description="Challenges with all accounts, also future ones.")
    accounts: list[ID] = field(description="Single accounts, by number.")


@strawberry.input(
    description="Scope of a TRADER token: everything that one of the lists names. If all lists are empty, the whole "
    "brand."
)
class TokenScopeInput:
    owners: list[str] = field(default_factory=list, description="Clients, including their challenges and accounts.")
    clones: list[str] = field(default_factory=list, description="AIs, including the accounts that they trade.")
    challenges: list[ID] = field(default_factory=list, description="Challenges with all accounts, also future ones.")
    accounts: list[ID] = field(default_factory=list, description="Single accounts, by number.")


@strawberry.type(description="An API token without its secret.")
class ApiToken(FromRow, listing=TOKENS):
    id: ID = field(description="Token id.")
    brand: str | None = field(description="Brand to which the token is limited; null for ADMIN and FEED.")
    role: Role = field(description="Role of the token.")
    name: str = field(description="Name of the token.")
    subject: str | None = field(description="Client for whom a CLIENT token speaks; null for other roles.")
    prefix: str = field(description="First characters of the token's text, to recognise it.")
    created_at: datetime = field(description="Time at which the token was created.")
    expires_at: datetime | None = field(description="Time at which the token expires; null if it does not.")
    revoked_at: datetime | None = field(description="Time at which the token was revoked; null if it was not.")
    last_used_at: datetime | None = field(description="Time of the last use, to the minute; null if never used.")
    stored_scope: strawberry.Private[str]

    @computed("Scope of a TRADER token.")
    def scope(self) -> TokenScope:
        scope = json.loads(self.stored_scope)
        return TokenScope(
            owners=scope.get("owners", []),
            clones=scope.get("clones", []),
            challenges=[ID(entry) for entry in scope.get("challenges", [])],
            accounts=[ID(entry) for entry in scope.get("accounts", [])],
        )


@strawberry.input(description="New token. A MANAGER can create TRADER and CLIENT tokens of its own brand.")
class CreateApiTokenInput:
    role: Role = field(description="Role of the token.")
    name: str = field(description="Name of the token.")
    subject: str | None = field(default=None, description="Client for whom a CLIENT token speaks.")
    brand: str | None = field(
        default=None, description="Brand name. Required if an ADMIN creates a MANAGER, CLIENT or TRADER token."
    )
    scope: TokenScopeInput | None = field(
        default=None, description="Scope of a TRADER token; null for the whole brand."
    )
    expires_at: datetime | None = field(
        default=None, description="Time at which the token expires; null if it stays valid until it is revoked."
    )


@strawberry.type(description="Result of creating a token.")
class CreateApiTokenPayload(Payload):
    token: str | None = field(default=None, description="Text of the token, returned only once; null if refused.")
    api_token: ApiToken | None = field(default=None, description="Token without its secret; null if refused.")


@strawberry.input(description="First ADMIN token of a desk.")
class BootstrapAdminInput:
    secret: str = field(description="Secret of the operator, set as PROPDESK_BOOTSTRAP_SECRET.")
    name: str = field(description="Name of the person who uses the token; shown in the audit.")


@strawberry.type(description="Result of creating the first ADMIN token.")
class BootstrapAdminPayload(Payload):
    token: str | None = field(default=None, description="Text of the token, returned only once; null if refused.")


@strawberry.input(description="Token to revoke.")
class RevokeApiTokenInput:
    id: ID = field(description="Token id.")


@strawberry.type(description="Result of revoking a token; its open websockets close within seconds.")
class RevokeApiTokenPayload(Payload):
    api_token: ApiToken | None = field(default=None, description="Token without its secret; null if refused.")


@strawberry.input(description="Filter for tokens.")
class ApiTokenFilter:
    role: list[Role] | None = field(default=None, description="Only tokens with one of these roles.")
    brand: str | None = field(default=None, description="Only tokens of this brand.")
    valid: bool | None = field(
        default=None, description="True for valid tokens only; false for expired and revoked ones only."
    )
