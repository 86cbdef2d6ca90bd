"""Accounts by hand: opened, started, ended, and shut for a while."""

from collections.abc import Awaitable, Callable

import strawberry
from strawberry import ID

from resolvers.read_back import found
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


async def _by_hand(info: Info, account_id: ID, verb: Callable[[Principal, int], Awaitable[None]]) -> Account:
    key = required(account_id, "accountId")
    await verb(info.context.principal, key)
    account: Account = await found(info, ACCOUNTS, key)
    return account


async def _with_reason(
    info: Info, given: ReasonedInput, verb: Callable[[Principal, int, str, str | None], Awaitable[None]]
) -> Account:
    return await _by_hand(
        info, given.account_id, lambda principal, key: verb(principal, key, given.reason, given.shown_reason)
    )


@strawberry.type
class AdminMutation:
    @mutation("Open an account outside any challenge.", *STAFF)
    async def create_account(self, info: Info, given: Input[CreateAccountInput]) -> CreateAccountPayload:
        account_id = await admin.create(
            info.context.principal,
            mode=given.mode,
            key=given.idempotency_key,
            group=given.group,
            owner=given.owner,
            clone=given.clone,
            parent_id=None if given.parent_id is None else required(given.parent_id, "parentId"),
            brand=given.brand,
        )
        return CreateAccountPayload(account=await found(info, ACCOUNTS, account_id))

    @mutation("Give a pending account its initial balance and make it active; an active one stays as it is.", *STAFF)
    async def start_account(self, info: Info, given: Input[StartAccountInput]) -> StartAccountPayload:
        return StartAccountPayload(account=await _by_hand(info, given.account_id, admin.start))

    @mutation("End an account: read-only at once, COMPLETED once all it holds is closed at fresh quotes.", *STAFF)
    async def complete_account(self, info: Info, given: Input[CompleteAccountInput]) -> CompleteAccountPayload:
        return CompleteAccountPayload(account=await _by_hand(info, given.account_id, admin.complete))

    @mutation("End an account by force; a phase that runs on it fails by the rule LIQUIDATION.", *STAFF)
    async def liquidate_account(self, info: Info, given: Input[LiquidateAccountInput]) -> LiquidateAccountPayload:
        return LiquidateAccountPayload(account=await _with_reason(info, given, admin.liquidate))

    @mutation("Close an account for actions until it is resumed; it is marked and judged on.", *STAFF)
    async def pause_account(self, info: Info, given: Input[PauseAccountInput]) -> PauseAccountPayload:
        return PauseAccountPayload(account=await _with_reason(info, given, admin.pause))

    @mutation("Open a paused account again.", *STAFF)
    async def resume_account(self, info: Info, given: Input[ResumeAccountInput]) -> ResumeAccountPayload:
        return ResumeAccountPayload(account=await _with_reason(info, given, admin.resume))

    @mutation("Book an amount on an account: compensation, a dividend, a feed's fault.", *STAFF)
    async def adjust_account(self, info: Info, given: Input[AdjustAccountInput]) -> AdjustAccountPayload:
        async def verb(principal: Principal, key: int, reason: str, shown: str | None) -> None:
            await adjustments.adjust(
                principal,
                key,
                given.amount,
                counts_as_profit=given.counts_as_profit,
                reason=reason,
                key=given.idempotency_key,
                shown=shown,
            )

        return AdjustAccountPayload(account=await _with_reason(info, given, verb))

    @mutation("Close an account for actions, whatever its state, until it is unlocked.", *STAFF)
    async def lock_account(self, info: Info, given: Input[LockAccountInput]) -> LockAccountPayload:
        return LockAccountPayload(account=await _with_reason(info, given, admin.lock))

    @mutation("Put a locked account back into the state it was locked in.", *STAFF)
    async def unlock_account(self, info: Info, given: Input[UnlockAccountInput]) -> UnlockAccountPayload:
        return UnlockAccountPayload(account=await _with_reason(info, given, admin.unlock))

    @mutation("Compute an account again that is in quarantine, and let it out; any other stays as it is.", *STAFF)
    async def release_quarantine(self, info: Info, given: Input[ReleaseQuarantineInput]) -> ReleaseQuarantinePayload:
        async def verb(principal: Principal, key: int) -> None:
            await quarantine.release_by_hand(principal, key, given.reason, pass_over=given.pass_over)

        return ReleaseQuarantinePayload(account=await _by_hand(info, given.account_id, verb))
