"""Corrections: fills are voided, and the account is computed again from the fills that remain."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from domain import corrections
from domain.accounts import Account
from domain.corrections import Books, Difference
from domain.errors import AccountTerminal, InvalidInput, InvalidTransition, NotFound, PayoutOpen
from domain.ledger import Facts
from domain.lifecycles import ACCOUNT_ENDS, ChallengeStatus, FillStatus, OrderStatus, Status, move
from domain.money import plain
from domain.orders import Fill, Order
from domain.reasons import Reason
from models import challenges, payouts
from models import fills as rows
from services.actions import tradable_lock_root
from services.challenges import checked_reason
from services.principals import Principal, Role
from services.unit_of_work.locked_account import LockedAccount
from services.unit_of_work.openings import root_transaction
from services.unit_of_work.unit import UnitOfWork

STAFF = (Role.ADMIN, Role.MANAGER)
VOIDS_MAX = 250

Name = tuple[int, int]
"""The identity of an order or a fill: its account, and the ledger row that made it."""


@dataclass(frozen=True, slots=True)
class Correction:
    """The result: the account's correction row, if one was written, and the changes."""

    account_id: int
    seq: int | None
    differences: list[Difference]


async def void_orders(principal: Principal, names: Sequence[Name], reason: str, shown: str | None = None) -> Correction:
    """Void filled orders of one account with their fills; the account is computed again from the fills that remain.

    Raises Forbidden, NotFound, InvalidInput (no order, too many, of several accounts, no reason), InvalidTransition
    (an order that is not FILLED), LaterFillsNeedIt, AccountTerminal, PayoutOpen.
    """
    principal.require(*STAFF)
    why, account_id = checked_reason(reason, shown), _only_account(names, "orderIds")
    async with root_transaction(await tradable_lock_root(principal, account_id, "orderIds")) as work:
        locked = await _held(work, account_id)
        books = await _books(work, locked.account)
        orders = await rows.account_orders(work.conn, account_id, [seq for _, seq in names])
        for place, (_, seq) in enumerate(names):
            _check_order(f"orderIds[{place}]", account_id, seq, orders.get(seq))
        voided = {fill.seq for fill in books.fills if fill.order_seq in orders}
        return await _correct(work, principal, "voidOrder", locked, books, voided, list(orders.values()), why)


async def void_fills(principal: Principal, names: Sequence[Name], reason: str, shown: str | None = None) -> Correction:
    """Void booked fills of one account with their orders. Raises what `void_orders` raises."""
    principal.require(*STAFF)
    why, account_id = checked_reason(reason, shown), _only_account(names, "fillIds")
    async with root_transaction(await tradable_lock_root(principal, account_id, "fillIds")) as work:
        locked = await _held(work, account_id)
        books = await _books(work, locked.account)
        booked = {fill.seq: fill for fill in books.fills}
        for place, (_, seq) in enumerate(names):
            _check_fill(f"fillIds[{place}]", account_id, seq, booked.get(seq))
        voided = {seq for _, seq in names}
        orders = await rows.account_orders(work.conn, account_id, [booked[seq].order_seq for seq in voided])
        return await _correct(work, principal, "voidFill", locked, books, voided, list(orders.values()), why)


async def recompute_account(
    principal: Principal, account_id: int, reason: str, *, apply: bool, shown: str | None = None
) -> Correction:
    """Compute an account again from its booked fills and return the differences; write them only with `apply`.

    Raises Forbidden, NotFound, InvalidInput (no reason), AccountTerminal, PayoutOpen, and LaterFillsNeedIt (fills that
    never held).
    """
    principal.require(*STAFF)
    why = checked_reason(reason, shown)
    async with root_transaction(await tradable_lock_root(principal, account_id, "accountId")) as work:
        locked = await _held(work, account_id)
        books = await _books(work, locked.account)
        computed = corrections.outcome(books, (), work.now)
        found = corrections.differences(locked.account, books, computed, work.moment, work.catalogue)
        if apply and found:
            return await _correct(work, principal, "recomputeAccount", locked, books, (), [], why)
        after: Facts = {"differences": len(found), "apply": apply}
        _audit(work, principal, "recomputeAccount", locked, reason, {}, after)
        return Correction(account_id, None, found)


async def _correct(
    work: UnitOfWork,
    principal: Principal,
    operation: str,
    locked: LockedAccount,
    books: Books,
    voided: Collection[int],
    orders: Collection[Order],
    reason: Reason,
) -> Correction:
    """Correct the locked account and audit it; a closed phase or day queues its closing again.

    Raises PayoutOpen while profit of the account is held for a payout: that profit may be the voided one.
    """
    challenge_id = locked.stored.challenge_id
    if challenge_id and (payout := await payouts.lock_open_payout(work.conn, challenge_id)):
        raise PayoutOpen(None, account=locked.account.id, payout=payout["id"])
    before, computed = locked.account, corrections.outcome(books, voided, work.now)
    found = corrections.differences(before, books, computed, work.moment, work.catalogue)
    locked.account = corrections.correct(
        before, books, computed, orders, reason.facts, work.moment, locked.conditions, work.journal
    )
    after = locked.account
    await _close_again(work, before, after)
    told = {"orders": " ".join(f"{order.account}-{order.seq}" for order in orders)} if orders else {}
    _audit(work, principal, operation, locked, reason.internal, _figures(before), _figures(after) | told)
    return Correction(after.id, before.seq + 1, found)


async def _close_again(work: UnitOfWork, before: Account, after: Account) -> None:
    """Queue the closing of positions that a correction opened again after a phase or a CLOSE_DAY had closed them."""
    if before.phase is None or not after.positions:
        return
    kind, facts = "close_account", Facts()
    if before.phase.status is ChallengeStatus.CANCELLED:
        kind = "close_positions"
    elif before.phase.running:
        through = await challenges.day_closed_through(work.conn, after.id)
        if through is None or all(position.seq > through for position in after.positions.values()):
            return
        kind, facts = "close_day", {"through": through}
    challenge_id = before.phase.challenge_id
    work.enqueue(kind, brand=after.brand, challenge_id=challenge_id, account_id=after.id, facts=facts)


def _figures(account: Account) -> Facts:
    figures = {"cash": account.cash, "realised": account.realised, "fees": account.fees, "equity": account.equity}
    return {name: plain(value) for name, value in figures.items()}


def _audit(
    work: UnitOfWork,
    principal: Principal,
    operation: str,
    locked: LockedAccount,
    reason: str,
    before: Facts,
    after: Facts,
) -> None:
    account = locked.account
    work.audit(
        principal,
        operation,
        object_kind="account",
        object_id=account.id,
        brand=account.brand,
        reason=reason,
        before=before,
        after=after,
    )


async def _held(work: UnitOfWork, account_id: int) -> LockedAccount:
    """Return the account, caught up. Raises AccountTerminal if it has ended."""
    at_rest = account_id not in work.locked_accounts
    locked = await work.load_account(account_id) if at_rest else work.locked_accounts[account_id]
    if locked.account.status in ACCOUNT_ENDS:
        raise AccountTerminal(None, account=account_id, status=locked.account.status.value)
    if at_rest:
        await work.catch_up()
    return locked


async def _books(work: UnitOfWork, account: Account) -> Books:
    """Return what is stored of the account, including the rows that catching up has just added."""
    await work.flush()
    account_id = account.id
    stored, positions = (
        await rows.account_fills(work.conn, account_id),
        await rows.account_positions(work.conn, account_id),
    )
    transferred, cash = await rows.transfer_total(work.conn, account_id), await rows.booked_cash(work.conn, account_id)
    return Books(tuple(stored), positions, account.policy.fee_bps, transferred, cash)


def _only_account(names: Sequence[Name], field: str) -> int:
    """Return the one account that all of them belong to."""
    if not 1 <= len(names) <= VOIDS_MAX:
        raise InvalidInput(field, size_max=VOIDS_MAX, size=len(names))
    first, *others = sorted({account for account, _ in names})
    if others:
        raise InvalidInput(field, reason="all must be of one account", accounts=f"{first} and {others[0]}")
    return first


def _check_order(field: str, account_id: int, seq: int, order: Order | None) -> None:
    if order is None:
        raise NotFound(field, order=f"{account_id}-{seq}")
    hint = {"use": "cancelOrder"} if order.status is OrderStatus.WORKING else {}
    _check_move(field, f"order {account_id}-{seq}", order.status, OrderStatus.VOID, hint)


def _check_fill(field: str, account_id: int, seq: int, fill: Fill | None) -> None:
    if fill is None:
        raise NotFound(field, fill=f"{account_id}-{seq}")
    _check_move(field, f"fill {account_id}-{seq}", fill.status, FillStatus.VOID, {})


def _check_move(field: str, thing: str, current: Status, target: Status, hint: Facts) -> None:
    """Raise InvalidTransition, naming the field, if the life cycle has no such move."""
    try:
        move(thing, current, target)
    except InvalidTransition as refused:
        raise InvalidTransition(field, **refused.facts, **hint) from None
