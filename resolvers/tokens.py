"""API tokens."""

import strawberry

from resolvers.found import found
from schema.arguments import Input
from schema.context import Info
from schema.permissions import mutation
from schema.tokens import CreateApiTokenInput, CreateApiTokenPayload
from services import tokens
from services.principals import Role
from services.views.lists import TOKENS


@strawberry.type
class TokenMutation:
    @mutation("Make a token; its text is answered this once.", Role.ADMIN, Role.MANAGER)
    async def create_api_token(self, info: Info, given: Input[CreateApiTokenInput]) -> CreateApiTokenPayload:
        issued = await tokens.create_for(
            info.context.principal, role=given.role, name=given.name, brand=given.brand, subject=given.subject
        )
        return CreateApiTokenPayload(token=issued.text, api_token=await found(info, TOKENS, issued.id))
