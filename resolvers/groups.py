"""Root fields for account groups."""

import strawberry

from resolvers.read_back import read_back
from schema.arguments import Filter, Input
from schema.engine.paging import After, Connection, First, page_request, read_page
from schema.engine.permissions import mutation, query
from schema.engine.request_context import Info
from schema.filters import filters_of
from schema.groups import AccountGroup, AccountGroupFilter, SaveAccountGroupInput, SaveAccountGroupPayload
from schema.payloads import field_changes, input_fields
from services import groups
from services.principals import Role
from services.views.lists import GROUPS


@strawberry.type
class GroupQuery:
    @query("Account groups, sorted by name.", Role.ADMIN, Role.MANAGER)
    async def account_groups(
        self, info: Info, first: First = 20, after: After = None, where: Filter[AccountGroupFilter] = None
    ) -> Connection[AccountGroup]:
        return await read_page(info, GROUPS, page_request(GROUPS, first, after), filters_of(where))


@strawberry.type
class GroupMutation:
    @mutation(
        "Create or change an account group. Accounts opened before keep their execution policy.",
        Role.ADMIN,
        Role.MANAGER,
    )
    async def save_account_group(self, info: Info, data: Input[SaveAccountGroupInput]) -> SaveAccountGroupPayload:
        values = input_fields(data, "name", "brand", "expected_version")
        if data.policy:
            values["policy"] = input_fields(data.policy)
        saved = await groups.update_group(
            info.context.principal, data.name, values, brand=data.brand, expected_version=data.expected_version
        )
        return SaveAccountGroupPayload(
            account_group=await read_back(info, GROUPS, saved.key), changes=field_changes(saved)
        )
