"""Adjustments: a manager books an amount on an account against the firm's synthetic capital."""

from decimal import Decimal

from domain import adjustments, days
from domain.accounts import Account
from domain.errors import AccountTerminal, InvalidTransition
from domain.ledger import Facts
from domain.lifecycles import ACCOUNT_ENDS, AccountStatus
from domain.money import plain
from domain.verdicts import judge_account
from models import challenges
from services import receipts, transfers
from services.actions import tradable_lock_root
from services.challenges import checked_reason
from services.principals import Principal, Role
from services.transfers import AccountHolder, House
from services.unit_of_work.locked_account import LockedAccount
from services.unit_of_work.openings import root_transaction
from services.unit_of_work.unit import UnitOfWork


async def adjust(
    principal: Principal,
    account_id: int,
    amount: Decimal,
    *,
    counts_as_profit: bool,
    reason: str,
    key: str,
    shown: str | None = None,
) -> None:
    """Book a signed amount on an account, in its currency, and judge the account. The same key and content books once.

    Raises Forbidden, NotFound, InvalidInput, IdempotencyConflict, AccountTerminal, InvalidTransition (not funded yet).
    """
    principal.require(Role.ADMIN, Role.MANAGER)
    why = checked_reason(reason, shown)
    content = {"accountId": account_id, "amount": amount, "countsAsProfit": counts_as_profit, **why.content}
    async with root_transaction(await tradable_lock_root(principal, account_id, "accountId")) as work:
        if await receipts.claim_key(work, principal, "adjustAccount", key, content) is not None:
            return
        locked = await _held(work, account_id)
        before = locked.account
        minor_units = work.catalogue.currencies[before.currency].minor_units
        adjustments.check(before, locked.conditions.terms, amount, minor_units, counts_as_profit=counts_as_profit)
        facts = why.facts | {"counts_as_profit": counts_as_profit}
        await _book(work, locked, amount, facts, counts_as_profit=counts_as_profit)
        work.audit(
            principal,
            "adjustAccount",
            object_kind="account",
            object_id=account_id,
            brand=before.brand,
            reason=reason,
            before=_figures(before),
            after=_figures(locked.account) | {"amount": plain(amount), "counts_as_profit": counts_as_profit},
        )
        await receipts.store_answer(work, principal, "adjustAccount", key, {"account": account_id})


async def _held(work: UnitOfWork, account_id: int) -> LockedAccount:
    """Return the account, caught up, funded and written. Raises AccountTerminal, InvalidTransition."""
    if account_id not in work.locked_accounts:
        await work.load_account(account_id)
        await work.catch_up()
    await work.flush()
    locked = work.locked_accounts[account_id]
    status = locked.account.status
    if status in ACCOUNT_ENDS:
        raise AccountTerminal("accountId", account=account_id, status=status.value)
    if AccountStatus.PENDING in (status, locked.account.locked_from):
        raise InvalidTransition("accountId", thing="account", current=status.value, target="adjusted")
    return locked


async def _book(
    work: UnitOfWork, locked: LockedAccount, amount: Decimal, facts: Facts, *, counts_as_profit: bool
) -> None:
    """Transfer the amount between the account and the firm's capital, and judge the account by its new figures."""
    account = locked.account
    sides: tuple[House, AccountHolder] = House("CAPITAL"), AccountHolder(account.id)
    source, target = sides if amount > 0 else sides[::-1]
    await transfers.transfer(
        work,
        brand=account.brand,
        kind="ADJUSTMENT",
        money="SYNTHETIC",
        currency=account.currency,
        source=source,
        target=target,
        amount=abs(amount),
        cause=f"account {account.id} adjustment",
        facts=facts,
        settle=lambda booked, moved: adjustments.settle(booked, moved, counts_as_profit=counts_as_profit),
    )
    locked.account = days.recount(locked.account, locked.conditions.terms)
    if phase := locked.account.phase:
        if not counts_as_profit:
            await challenges.set_initial_balance(work.conn, phase.id, phase.initial_balance)
        if phase.running:
            days.record_day(locked.account, work.journal, closed=False)
    locked.account = judge_account(locked.account, work.market, locked.conditions, work.journal, work.now)


def _figures(account: Account) -> Facts:
    figures = {"cash": account.cash, "equity": account.equity}
    if account.phase:
        figures["initial_balance"] = account.phase.initial_balance
    return {name: plain(value) for name, value in figures.items()}
