"""Root field for brands."""

import strawberry

from resolvers.read_back import read_back
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
    @mutation("Create a brand, or change its title.", Role.ADMIN)
    async def save_brand(self, info: Info, data: Input[SaveBrandInput]) -> SaveBrandPayload:
        saved = await brands.update_brand(
            info.context.principal,
            data.name,
            input_fields(data, "name", "expected_version"),
            expected_version=data.expected_version,
        )
        return SaveBrandPayload(brand=await read_back(info, BRANDS, saved.key, "name"), changes=field_changes(saved))
