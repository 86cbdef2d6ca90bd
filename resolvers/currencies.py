"""Root fields for currencies."""

import strawberry

from resolvers.read_back import read_back
from schema.arguments import Input
from schema.currencies import Currency, SaveCurrencyInput, SaveCurrencyPayload
from schema.engine.paging import After, Connection, First, page_request, read_page
from schema.engine.permissions import mutation, query
from schema.engine.request_context import Info
from schema.payloads import field_changes, input_fields
from services import currencies
from services.principals import Role
from services.views.lists import CURRENCIES


@strawberry.type
class CurrencyQuery:
    @query("Currencies of the desk, sorted by code.", Role.ADMIN, Role.MANAGER, Role.CLIENT, Role.TRADER)
    async def currencies(self, info: Info, first: First = 20, after: After = None) -> Connection[Currency]:
        return await read_page(info, CURRENCIES, page_request(CURRENCIES, first, after))


@strawberry.type
class CurrencyMutation:
    @mutation("Create a currency, or change its decimal places or par group.", Role.ADMIN)
    async def save_currency(self, info: Info, data: Input[SaveCurrencyInput]) -> SaveCurrencyPayload:
        saved = await currencies.update_currency(
            info.context.principal,
            data.code,
            input_fields(data, "code", "expected_version"),
            expected_version=data.expected_version,
        )
        return SaveCurrencyPayload(
            currency=await read_back(info, CURRENCIES, saved.key, "code"), changes=field_changes(saved)
        )
