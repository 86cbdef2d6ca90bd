"""Root fields by which managers and admins change an account."""

from collections.abc import Awaitable, Callable

import strawberry
from strawberry import ID

from resolvers.read_back import read_back
from schema.accounts import Account
from schema.admin import (
    AdjustAccountInput,
    AdjustAccountPayload,
    CompleteAccountInput,
    CompleteAccountPayload,
    CreateAccountInput,
    CreateAccountPayload,
    LiquidateAccountInput,
    LiquidateAccountPayload,
    LockAccountInput,
    LockAccountPayload,
    PauseAccountInput,
    PauseAccountPayload,
    ReasonedInput,
    ReleaseQuarantineInput,
    ReleaseQuarantinePayload,
    ResumeAccountInput,
    ResumeAccountPayload,
    StartAccountInput,
    StartAccountPayload,
    UnlockAccountInput,
    UnlockAccountPayload,
)
from schema.arguments import Input, required
from schema.engine.permissions import mutation
from schema.engine.request_context import Info
from services import adjustments, admin, quarantine
from services.principals import Principal, Role
from services.views.lists import ACCOUNTS

STAFF = (Role.ADMIN, Role.MANAGER)


async def _change(info: Info, account_id: ID, verb: Callable[[Principal, int], Awaitable[None]]) -> Account:
    key = required(account_id, "accountId")
    await verb(info.context.principal, key)
    account: Account = await read_back(info, ACCOUNTS, key)
    return account


async def _change_with_reason(
    info: Info, data: ReasonedInput, verb: Callable[[Principal, int, str, str | None], Awaitable[None]]
) -> Account:
    return await _change(
        info, data.account_id, lambda principal, key: verb(principal, key, data.reason, data.shown_reason)
    )


@strawberry.type
class AdminMutation:
    @mutation("Open an account outside any challenge.", *STAFF)
    async def create_account(self, info: Info, data: Input[CreateAccountInput]) -> CreateAccountPayload:
        account_id = await admin.create_account(
            info.context.principal,
            mode=data.mode,
            key=data.idempotency_key,
            group=data.group,
            owner=data.owner,
            clone=data.clone,
            parent_id=None if data.parent_id is None else required(data.parent_id, "parentId"),
            brand=data.brand,
        )
        return CreateAccountPayload(account=await read_back(info, ACCOUNTS, account_id))

    @mutation("Give a pending account its initial balance and activate it; an active account stays as it is.", *STAFF)
    async def start_account(self, info: Info, data: Input[StartAccountInput]) -> StartAccountPayload:
        return StartAccountPayload(account=await _change(info, data.account_id, admin.start_by_hand))

    @mutation(
        "End an account. It is read-only at once, and COMPLETED when its positions have been closed at fresh quotes.",
        *STAFF,
    )
    async def complete_account(self, info: Info, data: Input[CompleteAccountInput]) -> CompleteAccountPayload:
        return CompleteAccountPayload(account=await _change(info, data.account_id, admin.complete))

    @mutation("Liquidate an account: end it by force. A phase running on it fails by the rule LIQUIDATION.", *STAFF)
    async def liquidate_account(self, info: Info, data: Input[LiquidateAccountInput]) -> LiquidateAccountPayload:
        return LiquidateAccountPayload(account=await _change_with_reason(info, data, admin.liquidate))

    @mutation("Stop accepting actions for an account until it is resumed. It is still marked and judged.", *STAFF)
    async def pause_account(self, info: Info, data: Input[PauseAccountInput]) -> PauseAccountPayload:
        return PauseAccountPayload(account=await _change_with_reason(info, data, admin.pause))

    @mutation("Accept actions for a paused account again.", *STAFF)
    async def resume_account(self, info: Info, data: Input[ResumeAccountInput]) -> ResumeAccountPayload:
        return ResumeAccountPayload(account=await _change_with_reason(info, data, admin.resume))

    @mutation(
        "Book an amount on an account, for example a compensation, a dividend or the correction of a wrong quote.",
        *STAFF,
    )
    async def adjust_account(self, info: Info, data: Input[AdjustAccountInput]) -> AdjustAccountPayload:
        async def verb(principal: Principal, key: int, reason: str, shown: str | None) -> None:
            await adjustments.adjust(
                principal,
                key,
                data.amount,
                counts_as_profit=data.counts_as_profit,
                reason=reason,
                key=data.idempotency_key,
                shown=shown,
            )

        return AdjustAccountPayload(account=await _change_with_reason(info, data, verb))

    @mutation("Lock an account in any state: it accepts no actions until it is unlocked.", *STAFF)
    async def lock_account(self, info: Info, data: Input[LockAccountInput]) -> LockAccountPayload:
        return LockAccountPayload(account=await _change_with_reason(info, data, admin.lock))

    @mutation("Unlock an account: it returns to the state it had when it was locked.", *STAFF)
    async def unlock_account(self, info: Info, data: Input[UnlockAccountInput]) -> UnlockAccountPayload:
        return UnlockAccountPayload(account=await _change_with_reason(info, data, admin.unlock))

    @mutation(
        "Compute an account in quarantine again and release it; an account that is not in quarantine stays as it is.",
        *STAFF,
    )
    async def release_quarantine(self, info: Info, data: Input[ReleaseQuarantineInput]) -> ReleaseQuarantinePayload:
        async def verb(principal: Principal, key: int) -> None:
            await quarantine.release_by_hand(principal, key, data.reason, pass_over=data.pass_over)

        return ReleaseQuarantinePayload(account=await _change(info, data.account_id, verb))
