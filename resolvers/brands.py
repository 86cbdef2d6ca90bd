"""Brands."""

import strawberry

from resolvers.read_back import found
from schema.arguments import Input
from schema.brands import SaveBrandInput, SaveBrandPayload
from schema.engine.permissions import mutation
from schema.engine.request_context import Info
from schema.payloads import field_changes, input_fields
from services import brands
from services.principals import Role
from services.views.lists import BRANDS


@strawberry.type
class BrandMutation:
    @mutation("Make a brand, or change its title.", Role.ADMIN)
    async def save_brand(self, info: Info, given: Input[SaveBrandInput]) -> SaveBrandPayload:
        saved = await brands.update(
            info.context.principal,
            given.name,
            input_fields(given, "name", "expected_version"),
            expected_version=given.expected_version,
        )
        return SaveBrandPayload(brand=await found(info, BRANDS, saved.key, "name"), changes=field_changes(saved))
