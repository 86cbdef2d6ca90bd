"""Brands."""

import strawberry

from resolvers.found import found
from schema.arguments import Input
from schema.brands import SaveBrandInput, SaveBrandPayload
from schema.context import Info
from schema.permissions import mutation
from services import brands
from services.principals import Role
from services.views.lists import BRANDS


@strawberry.type
class BrandMutation:
    @mutation("Make a brand, or change its title.", Role.ADMIN)
    async def save_brand(self, info: Info, given: Input[SaveBrandInput]) -> SaveBrandPayload:
        name = await brands.save(info.context.principal, name=given.name, title=given.title)
        return SaveBrandPayload(brand=await found(info, BRANDS, name, "name"))
