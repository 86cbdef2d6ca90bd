"""Voiding what was booked, and computing an account again from the fills that remain."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from domain import corrections
from domain.accounts import Account
from domain.checks import text_fault
from domain.corrections import Books, Difference
from domain.errors import AccountTerminal, InvalidInput, InvalidTransition, NotFound
from domain.ledger import Facts
from domain.lifecycles import ACCOUNT_ENDS, FillStatus, OrderStatus, Status, move
from domain.money import ZERO, plain
from domain.orders import Fill, Order
from models import accounts, fills
from services.access import Target, reaches
from services.principals import Principal
from services.unit import Held, Root, Unit, reading, root

VOIDS_MAX = 250
REASON_MAX = 500

Name = tuple[int, int]
"""What an order or a fill is called: its account, and the ledger row that made it."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """What was done: the account's correction row if one was written, and what it changed."""

    account_id: int
    seq: int | None
    differences: list[Difference]


async def void_orders(principal: Principal, names: Sequence[Name], reason: str) -> Corrected:
    """Void filled orders of one account with their fills; the account becomes what the fills that remain come to.

    Raises NotFound, InvalidInput (no order, too many, of several accounts, no reason), InvalidTransition (an order
    that is not FILLED), LaterFillsNeedIt, AccountTerminal.
    """
    account_id = _only_account(names, "orderIds", reason)
    async with root(await _root(principal, account_id, "orderIds")) as work:
        held = await _held(work, account_id)
        books = await _books(work, account_id)
        orders = await _orders(work, account_id, [seq for _, seq in names])
        for place, (_, seq) in enumerate(names):
            _check_order(f"orderIds[{place}]", account_id, seq, orders.get(seq))
        voided = {fill.seq for fill in books.fills if fill.order_seq in orders}
        return _correct(work, principal, "voidOrder", held, books, voided, list(orders.values()), reason)


async def void_fills(principal: Principal, names: Sequence[Name], reason: str) -> Corrected:
    """Void booked fills of one account with their orders; raises what `void_orders` does."""
    account_id = _only_account(names, "fillIds", reason)
    async with root(await _root(principal, account_id, "fillIds")) as work:
        held = await _held(work, account_id)
        books = await _books(work, account_id)
        booked = {fill.seq: fill for fill in books.fills}
        for place, (_, seq) in enumerate(names):
            _check_fill(f"fillIds[{place}]", account_id, seq, booked.get(seq))
        voided = {seq for _, seq in names}
        orders = await _orders(work, account_id, [booked[seq].order_seq for seq in voided])
        return _correct(work, principal, "voidFill", held, books, voided, list(orders.values()), reason)


async def recompute(principal: Principal, account_id: int, reason: str, *, apply: bool) -> Corrected:
    """Compute an account again from its booked fills, and say what differs; written only if told to `apply` it.

    Raises NotFound, InvalidInput (no reason), AccountTerminal, LaterFillsNeedIt (the fills themselves do not hold).
    """
    _check_reason(reason)
    async with root(await _root(principal, account_id, "accountId")) as work:
        held = await _held(work, account_id)
        books = await _books(work, account_id)
        computed = corrections.outcome(books, (), work.now)
        found = corrections.differences(held.account, books, computed, work.moment, work.catalogue)
        if apply and found:
            return _correct(work, principal, "recomputeAccount", held, books, (), [], reason)
        after: Facts = {"differences": len(found), "apply": apply}
        _audit(work, principal, "recomputeAccount", held, reason, {}, after)
        return Corrected(account_id, None, found)


def _correct(
    work: Unit,
    principal: Principal,
    operation: str,
    held: Held,
    books: Books,
    voided: Collection[int],
    orders: Collection[Order],
    reason: str,
) -> Corrected:
    """Correct the held account, and note it; a phase's end that finds a position again owes its closing again."""
    before, computed = held.account, corrections.outcome(books, voided, work.now)
    found = corrections.differences(before, books, computed, work.moment, work.catalogue)
    held.account = corrections.correct(
        before, books, computed, orders, reason, work.moment, held.conditions, work.journal
    )
    after = held.account
    if after.positions and before.phase is not None and not before.phase.running:
        work.owe("close_account", brand=after.brand, challenge_id=before.phase.challenge_id, account_id=after.id)
    told = {"orders": " ".join(f"{order.account}-{order.seq}" for order in orders)} if orders else {}
    _audit(work, principal, operation, held, reason, _figures(before), _figures(after) | told)
    return Corrected(after.id, before.seq + 1, found)


def _figures(account: Account) -> Facts:
    figures = {"cash": account.cash, "realised": account.realised, "fees": account.fees, "equity": account.equity}
    return {name: plain(value) for name, value in figures.items()}


def _audit(
    work: Unit, principal: Principal, operation: str, held: Held, reason: str, before: Facts, after: Facts
) -> None:
    account = held.account
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


async def _root(principal: Principal, account_id: int, field: str) -> Root:
    """The account's lock root. Raises NotFound for an account that is not the principal's to correct."""
    async with reading() as conn:
        found = await accounts.root_of(conn, account_id)
    if found is None or not reaches(principal, Target(**found)):
        raise NotFound(field, account=account_id)
    return Root.of_challenge(found["challenge_id"]) if found["challenge_id"] else Root.of_account(account_id)


async def _held(work: Unit, account_id: int) -> Held:
    """The account, caught up. Raises AccountTerminal for one that has ended."""
    at_rest = account_id not in work.held
    held = await work.adopt(account_id) if at_rest else work.held[account_id]
    if held.account.status in ACCOUNT_ENDS:
        raise AccountTerminal(None, account=account_id, status=held.account.status.value)
    if at_rest:
        await work.catch_up()
    return held


async def _books(work: Unit, account_id: int) -> Books:
    """What is kept of the account, and what catching it up has just added and not yet written."""
    conn, journal = work.conn, work.journal
    stored = await fills.fills(conn, account_id)
    fresh = [fill for fill in journal.fills if fill.account == account_id]
    positions = await fills.positions(conn, account_id)
    positions |= {seq: position for (account, seq), position in journal.positions.items() if account == account_id}
    cash = await fills.booked_cash(conn, account_id)
    cash += sum((row.amount for row in journal.rows if row.account == account_id), ZERO)
    return Books(tuple(stored + fresh), positions, await fills.transferred(conn, account_id), cash)


async def _orders(work: Unit, account_id: int, seqs: Collection[int]) -> dict[int, Order]:
    """The account's orders of these seqs as they are now."""
    stored = await fills.orders(work.conn, account_id, list(seqs))
    fresh = {seq: order for (account, seq), order in work.journal.orders.items() if account == account_id}
    return stored | {seq: fresh[seq] for seq in seqs if seq in fresh}


def _only_account(names: Sequence[Name], field: str, reason: str) -> int:
    """The one account that all of them belong to."""
    _check_reason(reason)
    if not 1 <= len(names) <= VOIDS_MAX:
        raise InvalidInput(field, size_max=VOIDS_MAX, size=len(names))
    first, *others = sorted({account for account, _ in names})
    if others:
        raise InvalidInput(field, reason="all must be of one account", accounts=f"{first} and {others[0]}")
    return first


def _check_reason(reason: str) -> None:
    if fault := text_fault(reason, REASON_MAX):
        raise InvalidInput("reason", reason=fault)


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
    """Raises InvalidTransition naming the field where the life cycle has no such move."""
    try:
        move(thing, current, target)
    except InvalidTransition as refused:
        raise InvalidTransition(field, **refused.facts, **hint) from None
