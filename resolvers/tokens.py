"""Root fields for API tokens."""

import strawberry

from resolvers.read_back import read_back
from schema.arguments import Filter, Input, required
from schema.engine.paging import After, Connection, First, page_request, read_page
from schema.engine.permissions import mutation, query, unguarded_mutation
from schema.engine.request_context import Info
from schema.filters import filters_of
from schema.tokens import (
    ApiToken,
    ApiTokenFilter,
    BootstrapAdminInput,
    BootstrapAdminPayload,
    CreateApiTokenInput,
    CreateApiTokenPayload,
    RevokeApiTokenInput,
    RevokeApiTokenPayload,
)
from services import tokens
from services.principals import Role
from services.views.lists import TOKENS


@strawberry.type
class TokenQuery:
    @query("API tokens without their secrets, newest first within each brand.", Role.ADMIN, Role.MANAGER)
    async def api_tokens(
        self, info: Info, first: First = 20, after: After = None, where: Filter[ApiTokenFilter] = None
    ) -> Connection[ApiToken]:
        return await read_page(info, TOKENS, page_request(TOKENS, first, after), filters_of(where))


@strawberry.type
class TokenMutation:
    @mutation("Create an API token; its text is returned only once.", Role.ADMIN, Role.MANAGER)
    async def create_api_token(self, info: Info, data: Input[CreateApiTokenInput]) -> CreateApiTokenPayload:
        issued = await tokens.create_for(
            info.context.principal,
            role=data.role,
            name=data.name,
            brand=data.brand,
            subject=data.subject,
            scope=vars(data.scope) if data.scope else None,
            expires_at=data.expires_at,
        )
        return CreateApiTokenPayload(token=issued.text, api_token=await read_back(info, TOKENS, issued.id))

    @unguarded_mutation(
        "Create the first ADMIN token with the operator's secret. Works once, on a desk that has no ADMIN token."
    )
    async def bootstrap_admin(self, info: Info, data: Input[BootstrapAdminInput]) -> BootstrapAdminPayload:
        text = await tokens.bootstrap(data.secret, name=data.name, request=info.context.request_id)
        return BootstrapAdminPayload(token=text)

    @mutation("Revoke a token at once. A MANAGER can revoke TRADER and CLIENT tokens.", Role.ADMIN, Role.MANAGER)
    async def revoke_api_token(self, info: Info, data: Input[RevokeApiTokenInput]) -> RevokeApiTokenPayload:
        token_id = required(data.id, "id")
        await tokens.revoke_token(info.context.principal, token_id)
        return RevokeApiTokenPayload(api_token=await read_back(info, TOKENS, token_id))
