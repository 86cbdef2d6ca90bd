"""Root fields for accounts and for marking them."""

import strawberry

from resolvers.read_back import read_back
from schema.accounts import (
    Account,
    AccountFilter,
    MarkAccountToMarketInput,
    MarkAccountToMarketPayload,
    MarkAllToMarketPayload,
)
from schema.arguments import Filter, Id, Input, required
from schema.engine.ids import parse_id
from schema.engine.paging import After, Connection, First, page_request, read_one, read_page
from schema.engine.permissions import mutation, query
from schema.engine.request_context import Info
from schema.filters import filters_of
from services import marking
from services.principals import Role
from services.views.lists import ACCOUNTS

READERS = (Role.ADMIN, Role.MANAGER, Role.CLIENT, Role.TRADER)


@strawberry.type
class AccountQuery:
    @query("Account with this id; null if it does not exist or the token may not read it.", *READERS)
    async def account(self, info: Info, key: Id) -> Account | None:
        return await read_one(info, ACCOUNTS, parse_id(key))

    @query("Accounts, newest first within each brand.", *READERS)
    async def accounts(
        self, info: Info, first: First = 20, after: After = None, where: Filter[AccountFilter] = None
    ) -> Connection[Account]:
        return await read_page(info, ACCOUNTS, page_request(ACCOUNTS, first, after), filters_of(where))


@strawberry.type
class AccountMutation:
    @mutation(
        "Mark an account at the newest batch of quotes: update its figures, judge its rules and write the result.",
        Role.ADMIN,
        Role.MANAGER,
    )
    async def mark_account_to_market(
        self, info: Info, data: Input[MarkAccountToMarketInput]
    ) -> MarkAccountToMarketPayload:
        account_id = required(data.account_id, "accountId")
        await marking.mark_account(info.context.principal, account_id)
        return MarkAccountToMarketPayload(accounts=1, account=await read_back(info, ACCOUNTS, account_id))

    @mutation("Mark all live accounts at the newest batch of quotes.", Role.ADMIN)
    async def mark_all_to_market(self, info: Info) -> MarkAllToMarketPayload:
        marked = await marking.mark_all(info.context.principal)
        return MarkAllToMarketPayload(accounts=marked.accounts, failed=marked.failed)
