"""Payouts: a funded phase's profit leaves the account, and the trader's share reaches the wallet.

The whole profit is in PAYOUT_HOLD from the request until it is paid or rejected. Whatever happens to the phase in the
meantime, the request stays open until a manager decides it or the phase passes.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import asyncpg

from domain import days, rules, validation
from domain import payouts as domain
from domain.errors import InvalidInput, NotFound
from domain.ledger import Facts, Kind
from domain.lifecycles import PayoutStatus, move
from domain.money import ZERO, percent, plain
from domain.payouts import PayoutNotEligible, Standing
from domain.reasons import Reason
from domain.terms import PhaseTerms
from models import challenges, payouts, wallets
from services import fee_returns, receipts, transfers
from services.jobs.job import Job
from services.principals import Principal, Role
from services.transfers import AccountHolder, House, Wallet
from services.unit_of_work.locked_account import LockedAccount
from services.unit_of_work.openings import root_transaction
from services.unit_of_work.reads import read_connection
from services.unit_of_work.roots import LockRoot
from services.unit_of_work.unit import UnitOfWork

REASON_MAX = 200
EVENTS = {status: f"prop.payout.{status.lower()}" for status in PayoutStatus}


async def request_payout(principal: Principal, challenge_id: int, key: str, amount: Decimal | None = None) -> int:
    """Request a payout of a challenge's funded phase; its profit is held at once. Return the payout's id.

    `amount` is the gross profit that leaves the account, in its currency; None is all but the buffer of the terms.
    Raises Forbidden, NotFound, IdempotencyConflict, InvalidInput, and PayoutNotEligible with every criterion.
    """
    principal.require(Role.CLIENT, Role.MANAGER, Role.ADMIN)
    operation, content = "requestPayout", {"challengeId": challenge_id, "amount": amount}
    async with read_connection() as conn:
        owned = await payouts.owner_of_challenge(conn, challenge_id)
    if owned is None or not _may(principal, owned):
        raise NotFound("challengeId", challenge=challenge_id)
    async with root_transaction(LockRoot.of_challenge(challenge_id)) as work:
        if seen := await receipts.claim_key(work, principal, operation, key, content):
            return int(seen["payout"])
        await work.flush()  # the days that have just ended count
        locked = work.locked_account((await challenges.read_challenge(work.conn, challenge_id))["account_id"])
        terms, profit = await _due(work, locked, amount)
        payout_id = await _open(work, locked, challenge_id, terms, profit, PayoutStatus.REQUESTED)
        after = {"challenge": challenge_id, "profit": plain(profit)}
        work.audit(
            principal, operation, object_kind="payout", object_id=payout_id, brand=locked.account.brand, after=after
        )
        await receipts.store_answer(work, principal, operation, key, {"payout": payout_id})
    return payout_id


def _may(principal: Principal, owned: Any) -> bool:
    """Return whether the payout is of the principal's brand and, for a client, its own."""
    own = principal.role is not Role.CLIENT or principal.subject == owned["client"]
    return own and principal.sees(owned["brand"])


async def _due(work: UnitOfWork, locked: LockedAccount, requested: Decimal | None) -> tuple[PhaseTerms, Decimal]:
    """Return the phase's terms and the profit that leaves the account. Raises InvalidInput, PayoutNotEligible."""
    minor_units = work.catalogue.currencies[locked.account.currency].minor_units
    if requested is not None and (fault := validation.amount_range(minor_units).fault(requested)):
        raise InvalidInput("amount", reason=fault, found=requested)
    if locked.account.phase is None:
        raise PayoutNotEligible(domain.no_phase())
    standing = replace(await _standing(work, locked), requested=requested)
    criteria = domain.criteria(standing)
    if not domain.is_met(criteria):
        raise PayoutNotEligible(criteria)
    return standing.terms, standing.amount


async def _standing(work: UnitOfWork, locked: LockedAccount) -> Standing:
    """Return the figures that decide about a payout of the account; its phase has begun."""
    account, terms, calendar = locked.account, locked.conditions.terms, locked.stored.calendar
    assert terms and calendar and account.phase, "an account of a challenge has terms"
    least = percent(account.phase.initial_balance, terms.profitable_day_pct)
    cycle = (await payouts.payout_cycles(work.conn, {account.id: (account.phase.day, least)}))[account.id]
    minor_units = work.catalogue.currencies[account.currency].minor_units
    return Standing(account, terms, cycle, calendar, minor_units, work.now)


async def _open(
    work: UnitOfWork, locked: LockedAccount, challenge_id: int, terms: PhaseTerms, profit: Decimal, status: PayoutStatus
) -> int:
    """Write a payout, move its profit into the hold, and emit its event; the payment of an approved one is queued."""
    account = locked.account
    assert account.phase, "the profit is a phase's"
    card = await challenges.read_challenge(work.conn, challenge_id)
    amount = _share(work, locked, terms, profit)
    payout_id = await payouts.insert_payout(
        work.conn,
        brand=account.brand,
        challenge_id=challenge_id,
        phase_id=account.phase.id,
        account_id=account.id,
        wallet_id=await wallets.ensure_wallet(account.brand, card["client"], account.currency),
        status=status,
        currency=account.currency,
        profit=profit,
        split=terms.profit_split,
        amount=amount,
        day=account.phase.day,
        day_profit=rules.profit_today(account),
        at=work.now,
    )
    await _hold(work, locked, terms, payout_id, profit)
    payload = {"payout": payout_id, "account": account.id, "profit": plain(profit), "amount": plain(amount)}
    _tell(work, locked, challenge_id, status, payload)
    return payout_id


def _share(work: UnitOfWork, locked: LockedAccount, terms: PhaseTerms, profit: Decimal) -> Decimal:
    """Return the client's share of a profit, in whole minor units."""
    minor_units = work.catalogue.currencies[locked.account.currency].minor_units
    return domain.share(profit, terms.profit_split, minor_units)[0]


async def _hold(work: UnitOfWork, locked: LockedAccount, terms: PhaseTerms, payout_id: int, profit: Decimal) -> None:
    """Move profit from the account into the hold or, if negative, back; it counts as neither loss nor gain."""
    sides: tuple[AccountHolder, House] = AccountHolder(locked.account.id), House("PAYOUT_HOLD")
    source, target = sides if profit > 0 else sides[::-1]
    await transfers.transfer(
        work,
        brand=locked.account.brand,
        kind="PAYOUT_PROFIT",
        money="SYNTHETIC",
        currency=locked.account.currency,
        source=source,
        target=target,
        amount=abs(profit),
        cause=f"payout {payout_id}",
    )
    locked.account = domain.settle_floors(locked.account, terms, profit)
    if locked.account.phase and locked.account.phase.running:
        locked.account = days.observe(locked.account)
        days.record_day(locked.account, work.journal, closed=False)


def _tell(work: UnitOfWork, locked: LockedAccount, challenge_id: int, status: PayoutStatus, payload: Facts) -> None:
    """Emit the event of the payout's new status; the payment of an approved payout is queued."""
    brand, account_id = locked.account.brand, locked.account.id
    work.emit(EVENTS[status], brand=brand, challenge_id=challenge_id, payload=payload)
    if status is PayoutStatus.APPROVED:
        facts = {"payout": payload["payout"]}
        work.enqueue("pay_payout", brand=brand, challenge_id=challenge_id, account_id=account_id, facts=facts)


async def approve_payout(principal: Principal, payout_id: int, key: str) -> None:
    """Approve a requested payout. Raises Forbidden, NotFound, InvalidTransition, IdempotencyConflict."""
    principal.require(Role.MANAGER, Role.ADMIN)
    await _decide(principal, payout_id, "approvePayout", PayoutStatus.APPROVED, key)


async def reject_payout(principal: Principal, payout_id: int, reason: str, key: str, shown: str | None = None) -> None:
    """Reject a requested payout: its profit returns to the account.

    Raises Forbidden, NotFound, InvalidTransition, IdempotencyConflict, and InvalidInput without a reason.
    """
    principal.require(Role.MANAGER, Role.ADMIN)
    why = _checked(reason, shown)
    told = why.told("PAYOUT_REJECTED")
    await _decide(principal, payout_id, "rejectPayout", PayoutStatus.REJECTED, key, why, told)


async def cancel_payout(
    principal: Principal, payout_id: int, key: str, reason: str | None = None, shown: str | None = None
) -> None:
    """Withdraw a requested payout: its profit returns to the account. A client's own reason is shown as it is.

    Raises Forbidden, NotFound, InvalidTransition, IdempotencyConflict, InvalidInput.
    """
    principal.require(Role.CLIENT, Role.MANAGER, Role.ADMIN)
    why = None if reason is None and shown is None else _checked(reason, shown)
    told = (why or Reason("")).told("PAYOUT_CANCELLED") if principal.is_staff else reason
    await _decide(principal, payout_id, "cancelPayout", PayoutStatus.CANCELLED, key, why, told)


def _checked(internal: str | None, shown: str | None) -> Reason:
    """Raise InvalidInput for an empty or too long text."""
    for field, text in (("reason", internal), ("shownReason", shown)):
        if text is not None and (fault := validation.text_fault(text, REASON_MAX)):
            raise InvalidInput(field, reason=fault)
    return Reason(internal or "", shown)


async def _decide(
    principal: Principal,
    payout_id: int,
    operation: str,
    target: PayoutStatus,
    key: str,
    reason: Reason | None = None,
    told: str | None = None,
) -> None:
    """Move a REQUESTED payout to `target`, with the transfers that follow; `told` is the reason shown to the client."""
    async with read_connection() as conn:
        owned = await payouts.owner_of_payout(conn, payout_id)
    if owned is None or not _may(principal, owned):
        raise NotFound("id", payout=payout_id)
    async with root_transaction(LockRoot.of_challenge(owned["challenge_id"])) as work:
        content = {"id": payout_id, **(reason.content if reason else {"reason": None})}
        if await receipts.claim_key(work, principal, operation, key, content):
            return
        payout = await payouts.lock_payout(work.conn, payout_id)
        status = PayoutStatus(payout["status"])
        await payouts.decide_payout(work.conn, payout_id, move("payout", status, target), work.now, told)
        locked = work.locked_account(payout["account_id"])
        await _follow(work, locked, payout, target, told)
        before, after = {"status": status.value}, {"status": target.value, "profit": plain(payout["profit"])}
        work.audit(
            principal, operation, object_kind="payout", object_id=payout_id, brand=payout["brand"],
            reason=reason.internal if reason else "", before=before, after=after,
        )  # fmt: skip
        await receipts.store_answer(work, principal, operation, key, {"payout": payout_id})


async def _follow(work: UnitOfWork, locked: LockedAccount, payout: Any, target: PayoutStatus, told: str | None) -> None:
    """Write a decision's effect on the account and emit its event."""
    terms, payout_id = locked.conditions.terms, payout["id"]
    assert terms, "an account with a payout has terms"
    if target is PayoutStatus.APPROVED:
        anew = domain.reset_floor(locked.account, terms)
        if anew != locked.account:
            facts = {"cause": f"payout {payout_id}", "floor": terms.payout.floor.value}
            locked.account = work.journal.append(anew, Kind.PAYOUT, work.now, work.batch, facts)
    else:
        await _hold(work, locked, terms, payout_id, -payout["profit"])
    payload = {
        "payout": payout_id,
        "account": locked.account.id,
        "profit": plain(payout["profit"]),
        "amount": plain(payout["amount"]),
    }
    _tell(work, locked, payout["challenge_id"], target, payload | ({"reason": told} if told else {}))


async def request_final_payout(work: UnitOfWork, locked: LockedAccount, challenge_id: int, phase: PhaseTerms) -> None:
    """At the end of a funded phase: hold the whole profit and queue the payout, approved by the desk itself.

    An open payout is approved, with what was earned since added to it: a challenge has one payout at a time. A profit
    that the phase's own conditions do not allow waits, requested, for a manager's decision, and an approved payout is
    paid before it. Without a profit there is no payout. The account is flat.
    """
    assert locked.account.phase, "its phase has just ended"
    profit = max(ZERO, locked.account.cash - locked.account.phase.initial_balance)
    waiting = await payouts.lock_open_payout(work.conn, challenge_id)
    is_earned = not profit or domain.is_met(domain.earned(await _standing(work, locked)))
    if waiting and waiting["status"] == PayoutStatus.APPROVED and not is_earned:
        await _pay(work, waiting)
        waiting = None
    if waiting is None:
        if profit:
            status = PayoutStatus.APPROVED if is_earned else PayoutStatus.REQUESTED
            await _open(work, locked, challenge_id, phase, profit, status)
        return
    total = waiting["profit"] + profit
    amount = _share(work, locked, phase, total)
    if profit:
        await payouts.raise_payout(work.conn, waiting["id"], total, amount)
        await _hold(work, locked, phase, waiting["id"], profit)
    if waiting["status"] == PayoutStatus.REQUESTED and is_earned:
        await payouts.decide_payout(work.conn, waiting["id"], PayoutStatus.APPROVED, work.now)
        payload = {
            "payout": waiting["id"],
            "account": locked.account.id,
            "profit": plain(total),
            "amount": plain(amount),
        }
        _tell(work, locked, challenge_id, PayoutStatus.APPROVED, payload)


async def pay_payout(work: UnitOfWork, job: Job) -> str:
    """APPROVED to PAID: the held profit returns to the firm's capital, the client's share goes to its wallet.

    With the first payout the fee is returned too, if the terms say so.
    """
    payout = await payouts.lock_payout(work.conn, job.facts["payout"])
    status = PayoutStatus(payout["status"])
    if status is not PayoutStatus.APPROVED:
        return f"the payout is {status.name}"
    await _pay(work, payout)
    return "paid"


async def _pay(work: UnitOfWork, payout: asyncpg.Record) -> None:
    """Pay a locked payout that is approved."""
    move("payout", PayoutStatus(payout["status"]), PayoutStatus.PAID)
    brand, challenge_id = payout["brand"], payout["challenge_id"]
    cause = f"payout {payout['id']}"
    fee = await fee_returns.due(work, challenge_id)
    for wallet_id in sorted({payout["wallet_id"], fee.wallet if fee else payout["wallet_id"]}):
        await wallets.lock_wallet(work.conn, wallet_id)
    if payout["amount"] > 0:
        await transfers.transfer(
            work,
            brand=brand,
            kind="PAYOUT_SHARE",
            money="REAL",
            currency=payout["currency"],
            source=House("TREASURY"),
            target=Wallet(payout["wallet_id"]),
            amount=payout["amount"],
            cause=cause,
        )
    await transfers.transfer(
        work,
        brand=brand,
        kind="PAYOUT_PROFIT",
        money="SYNTHETIC",
        currency=payout["currency"],
        source=House("PAYOUT_HOLD"),
        target=House("CAPITAL"),
        amount=payout["profit"],
        cause=cause,
    )
    await payouts.mark_paid(work.conn, payout["id"], work.now)
    payload: Facts = {"payout": payout["id"], "amount": plain(payout["amount"])}
    if fee:
        await fee_returns.pay_fee_return(work, fee, payout["id"])
        payload["fee_returned"] = plain(fee.amount)
    work.emit("prop.payout.paid", brand=brand, challenge_id=challenge_id, payload=payload)
