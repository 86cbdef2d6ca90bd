"""Operations of managers and admins on accounts; each writes one audit entry."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

from domain.accounts import Account, Mode
from domain.errors import (
    AccountEnding,
    AccountInChallenge,
    AccountTerminal,
    InvalidInput,
    InvalidTransition,
    ModeReserved,
    NotFound,
)
from domain.ledger import Facts, Kind
from domain.lifecycles import ACCOUNT_ENDS, AccountStatus, ChallengeStatus, move
from domain.money import plain as text_of
from domain.reasons import Reason
from domain.terms import Group, GroupKind, policy_from_text
from domain.validation import text_fault
from domain.verdicts import liquidate_by_hand
from models import accounts as rows
from models import challenges, groups, jobs
from services import accounts, brands, receipts
from services.accounts import NewAccount
from services.actions import tradable_lock_root
from services.challenges import checked_reason
from services.jobs import closing
from services.principals import Principal, Role
from services.unit_of_work.locked_account import LockedAccount
from services.unit_of_work.openings import root_transaction, transaction
from services.unit_of_work.unit import UnitOfWork

TEXT_MAX = 100  # characters, of owner and clone
AUDITION = Group("AUDITION", GroupKind.DEMO, "USDC", Decimal(100_000))
"""The group of an account that is opened without naming a group."""

FREE = (Mode.AUDITION, Mode.RACE)
"""Modes of accounts that are opened by hand; all others belong to challenges."""

OPEN = frozenset({AccountStatus.ACTIVE, AccountStatus.PAUSED, AccountStatus.LOCKED})
NEEDED = frozenset({ChallengeStatus.PENDING, ChallengeStatus.ACTIVE, ChallengeStatus.PASSED})
"""Statuses of a phase whose challenge still needs the account; a passed phase ends its account itself."""


@dataclass(frozen=True, slots=True)
class Toggle:
    """A change of an account's status that can be undone."""

    operation: str
    kind: Kind
    sources: frozenset[AccountStatus]
    target: AccountStatus | None  # None: the status before the lock


PAUSE = Toggle("pauseAccount", Kind.ACCOUNT_PAUSED, frozenset({AccountStatus.ACTIVE}), AccountStatus.PAUSED)
RESUME = Toggle("resumeAccount", Kind.ACCOUNT_RESUMED, frozenset({AccountStatus.PAUSED}), AccountStatus.ACTIVE)
LOCK = Toggle(
    "lockAccount",
    Kind.ACCOUNT_LOCKED,
    frozenset({AccountStatus.PENDING, AccountStatus.ACTIVE, AccountStatus.PAUSED}),
    AccountStatus.LOCKED,
)
UNLOCK = Toggle("unlockAccount", Kind.ACCOUNT_UNLOCKED, frozenset({AccountStatus.LOCKED}), None)


async def create_account(
    principal: Principal,
    *,
    mode: str,
    key: str,
    group: str | None = None,
    owner: str | None = None,
    clone: str | None = None,
    parent_id: int | None = None,
    brand: str | None = None,
) -> int:
    """Open a PENDING account outside any challenge, with a copy of its group's policy. Return its number.

    The same key and content return the same account. Raises Forbidden, IdempotencyConflict, InvalidInput, ModeReserved,
    NotFound.
    """
    principal.require(Role.ADMIN, Role.MANAGER)
    brand = principal.brand_for(brand)
    content = {"brand": brand, "mode": mode, "group": group, "owner": owner, "clone": clone, "parentId": parent_id}
    async with transaction() as work:
        if seen := await receipts.claim_key(work, principal, "createAccount", key, content):
            return int(seen["account"])
        await brands.require_brand(brand)
        opening = NewAccount(_free_mode(mode), _named("owner", owner), _named("clone", clone), parent_id)
        await _check_parent(work, brand, parent_id)
        locked = await accounts.open_account(work, brand, await _group(work, brand, group), opening)
        _note(work, principal, "createAccount", None, locked.account, facts=content | _terms(locked.account))
        await receipts.store_answer(work, principal, "createAccount", key, {"account": locked.account.id})
    return locked.account.id


def _free_mode(mode: str) -> Mode:
    if mode not in list(Mode):
        raise InvalidInput("mode", reason=f"must be one of {', '.join(FREE)}")
    if mode not in FREE:
        raise ModeReserved("mode", mode=mode, free=" and ".join(FREE))
    return Mode(mode)


def _named(field: str, text: str | None) -> str | None:
    if text is not None and (fault := text_fault(text, TEXT_MAX)):
        raise InvalidInput(field, reason=fault)
    return text


async def _check_parent(work: UnitOfWork, brand: str, parent_id: int | None) -> None:
    if parent_id is not None:
        parent = await rows.root_of(work.conn, parent_id)
        if parent is None or parent["brand"] != brand:
            raise NotFound("parentId", account=parent_id)


async def _group(work: UnitOfWork, brand: str, name: str | None) -> Group:
    if name is None:
        return AUDITION
    if text_fault(name, TEXT_MAX) or (row := await groups.read_group(work.conn, brand, name)) is None:
        raise NotFound("group", group=name)
    policy = policy_from_text(row["policy"])
    return Group(row["name"], GroupKind(row["kind"]), row["currency"], row["default_deposit"], policy)


def _terms(account: Account) -> Facts:
    return {"currency": account.currency, "starting_balance": text_of(account.starting_balance)}


async def start_by_hand(principal: Principal, account_id: int) -> None:
    """Fund a PENDING account and make it active; an active account stays as it is.

    Raises Forbidden, NotFound, InvalidTransition, AccountTerminal, AccountInChallenge: a challenge starts its own.
    """
    async with _held(principal, account_id) as (work, locked):
        before = locked.account
        if before.status is AccountStatus.ACTIVE:
            return
        _check(before, {AccountStatus.PENDING}, AccountStatus.ACTIVE)
        if before.mode not in FREE:
            raise AccountInChallenge("accountId", account=account_id)
        await accounts.fund_account(work, locked)
        await accounts.activate_account(work, locked)
        _note(work, principal, "startAccount", before, locked.account)


async def pause(principal: Principal, account_id: int, reason: str, shown: str | None = None) -> None:
    """Pause an ACTIVE account: it takes no actions until it is resumed. `reason` goes to the audit, `shown` to the
    ledger.

    Raises Forbidden, InvalidInput without a reason, NotFound, InvalidTransition, AccountTerminal.
    """
    await _switch(principal, account_id, PAUSE, checked_reason(reason, shown))


async def resume(principal: Principal, account_id: int, reason: str, shown: str | None = None) -> None:
    """Resume a PAUSED account. Raises what `pause` raises."""
    await _switch(principal, account_id, RESUME, checked_reason(reason, shown))


async def lock(principal: Principal, account_id: int, reason: str, shown: str | None = None) -> None:
    """Lock a PENDING, ACTIVE or PAUSED account. Raises what `pause` raises."""
    await _switch(principal, account_id, LOCK, checked_reason(reason, shown))


async def unlock(principal: Principal, account_id: int, reason: str, shown: str | None = None) -> None:
    """Give a LOCKED account its status from before the lock. Raises what `pause` raises."""
    await _switch(principal, account_id, UNLOCK, checked_reason(reason, shown))


async def _switch(principal: Principal, account_id: int, switch: Toggle, reason: Reason) -> None:
    """Change the account's status. Raises Forbidden, NotFound, InvalidTransition, AccountTerminal."""
    async with _held(principal, account_id) as (work, locked):
        before = locked.account
        target = switch.target or before.locked_from or AccountStatus.ACTIVE
        _check(before, switch.sources, target)
        if switch is UNLOCK:
            await _check_called_off(work, locked)
        locked.account = work.journal.append(
            before,
            switch.kind,
            work.now,
            work.batch,
            reason.facts,
            status=move("account", before.status, target),
            locked_from=before.status if target is AccountStatus.LOCKED else None,
        )
        _note(work, principal, switch.operation, before, locked.account, reason.internal)


async def _check_called_off(work: UnitOfWork, locked: LockedAccount) -> None:
    """Raise AccountInChallenge if the challenge was cancelled or deleted: its account stays locked."""
    account, challenge_id = locked.account, locked.stored.challenge_id
    if account.mode in FREE:
        return
    if challenge_id is None or (await challenges.phase_end(work.conn, account.id))[0] is ChallengeStatus.CANCELLED:
        raise AccountInChallenge("accountId", account=account.id, challenge="CANCELLED")


async def complete(principal: Principal, account_id: int) -> None:
    """End the account: read-only at once, orders cancelled, positions closed at fresh quotes, COMPLETED once it is
    flat.

    Raises Forbidden, NotFound, InvalidTransition, AccountTerminal, AccountEnding, and AccountInChallenge while its
    challenge needs it.
    """
    async with _held(principal, account_id) as (work, locked):
        before = locked.account
        await _end(work, locked, AccountStatus.COMPLETED, Reason(""))
        _note(work, principal, "completeAccount", before, locked.account)


async def liquidate(principal: Principal, account_id: int, reason: str, shown: str | None = None) -> None:
    """End the account by force: LIQUIDATED once it is flat; a running phase fails by the rule LIQUIDATION.

    Raises what `complete` raises, and InvalidInput without a reason.
    """
    why = checked_reason(reason, shown)
    async with _held(principal, account_id) as (work, locked):
        before = locked.account
        if before.phase is not None and before.phase.running:
            market, catalogue = work.market, locked.conditions.catalogue
            locked.account = liquidate_by_hand(before, market, catalogue, why.facts, work.now, work.journal)
            closing.close_positions_now(work, locked, closing.REASONS[AccountStatus.LIQUIDATED])
            if not locked.account.positions:
                await accounts.end_account(work, locked, AccountStatus.LIQUIDATED)
        else:
            await _end(work, locked, AccountStatus.LIQUIDATED, why)
        _note(work, principal, "liquidateAccount", before, locked.account, reason)


async def _end(work: UnitOfWork, locked: LockedAccount, status: AccountStatus, reason: Reason) -> None:
    _check(locked.account, OPEN, status)
    await work.flush()  # catching up may have ended its phase: the checks below read the written rows
    account = locked.account
    if locked.stored.challenge_id is not None:
        phase, _ = await challenges.phase_end(work.conn, account.id)
        if phase in NEEDED:
            raise AccountInChallenge("accountId", account=account.id, phase=phase.name)
    if await jobs.has_closing_job(work.conn, account.id):
        raise AccountEnding("accountId", account=account.id)
    facts = {"end": status.value} | reason.facts
    locked.account = work.journal.append(account, Kind.ACCOUNT_CLOSING, work.now, work.batch, facts, read_only=True)
    await closing.end_once_flat(work, locked, status)


@asynccontextmanager
async def _held(principal: Principal, account_id: int) -> AsyncIterator[tuple[UnitOfWork, LockedAccount]]:
    """Open the account under its lock, caught up, in any status. Raises Forbidden, NotFound."""
    principal.require(Role.ADMIN, Role.MANAGER)
    async with root_transaction(await tradable_lock_root(principal, account_id, "accountId")) as work:
        yield work, work.locked_accounts.get(account_id) or await work.load_account(account_id)


def _check(account: Account, sources: Collection[AccountStatus], target: AccountStatus) -> None:
    if account.status in ACCOUNT_ENDS:
        raise AccountTerminal("accountId", account=account.id, status=account.status.value)
    if account.status not in sources:
        current = account.status.value
        raise InvalidTransition("accountId", thing="account", current=current, target=target.value)


def _note(
    work: UnitOfWork,
    principal: Principal,
    operation: str,
    before: Account | None,
    after: Account,
    reason: str = "",
    facts: Facts | None = None,
) -> None:
    """Add the operation to the audit chain, with the account's state and ledger version before and after."""
    work.audit(
        principal,
        operation,
        object_kind="account",
        object_id=after.id,
        brand=after.brand,
        reason=reason,
        before=_state(before) if before else {},
        after=_state(after) | (facts or {}),
    )


def _state(account: Account) -> Facts:
    return {"status": account.status.value, "read_only": account.read_only, "seq": account.seq}
