"""Reinstatements: a verdict that rested on void quotes is set aside, and the phase gets a new run without them.

The failed run, its account, its verdict and its evidence stay; the new run is linked to it.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import asyncpg

from config.settings import settings
from domain import days, reinstatements
from domain.accounts import Account
from domain.corrections import Difference
from domain.errors import (
    AlreadyReinstated,
    InvalidTransition,
    NotFound,
    QuotesForgotten,
    TooManyQuotes,
    VerdictStands,
)
from domain.frozen import replace
from domain.ledger import Facts
from domain.lifecycles import ChallengeStatus, PurchaseStatus, move
from domain.money import plain
from domain.reasons import Reason
from domain.reinstatements import Recomputation, Rerun
from domain.rule_table import run_of
from domain.voids import Span, holdings_moved_by
from models import challenges, tokens, voids
from models import reinstatements as rows
from models.sql import Connection
from models.voids import StandingVoid
from services import accounts, receipts, transfers
from services.challenges import check_payouts, checked_reason
from services.principals import Principal, Role
from services.transfers import AccountHolder, House
from services.unit_of_work.locked_account import LockedAccount
from services.unit_of_work.openings import root_transaction
from services.unit_of_work.reads import read_connection
from services.unit_of_work.roots import LockRoot
from services.unit_of_work.unit import UnitOfWork

QUOTES_AT_ONCE = 1_000  # between two of which other tasks run


@dataclass(frozen=True, slots=True)
class Reinstated:
    """The result: the figures of the new run that differ, and the fills that are left out."""

    reinstatement_id: int | None  # None: nothing was done
    differences: list[Difference]
    left_out: list[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """A verdict that can be set aside, and the run that would go on."""

    case: asyncpg.Record
    challenge_id: int
    failed: LockedAccount
    recomputation: Recomputation
    account: Account  # as it would go on, under the failed account's number

    @property
    def differences(self) -> list[Difference]:
        return reinstatements.run_differences(self.failed.account, self.account)

    @property
    def left_out(self) -> list[str]:
        return [f"{self.failed.account.id}-{seq}" for seq in self.recomputation.left_out]


async def reinstate(
    principal: Principal, challenge_id: int, reason: str, key: str, *, apply: bool, shown: str | None = None
) -> Reinstated:
    """Set the verdict on a failed challenge aside; without `apply` only return what would differ.

    The same key and content return the same result. Raises Forbidden, InvalidInput, NotFound, IdempotencyConflict,
    InvalidTransition (the challenge has not failed, or its purchase is not active), AlreadyReinstated, PayoutOpen,
    VerdictStands, StillBroken, QuotesForgotten, TooManyQuotes.
    """
    principal.require(Role.ADMIN, Role.MANAGER)
    why = checked_reason(reason, shown)
    async with read_connection() as conn:
        brand = await challenges.brand_of_challenge(conn, challenge_id)
    if brand is None or not principal.sees(brand):
        raise NotFound("id", id=challenge_id)
    operation, content = "reinstateChallenge", {"id": challenge_id, **why.content}
    async with root_transaction(LockRoot.of_challenge(challenge_id)) as work:
        if apply and (seen := await receipts.claim_key(work, principal, operation, key, content)):
            number = int(seen["reinstatement"])
            return Reinstated(number, *await rows.reinstatement_outcome(work.conn, number))
        plan = await recompute_run(work, challenge_id)
        if not apply:
            return Reinstated(None, plan.differences, plan.left_out)
        number = await carry_out(work, principal, plan, why)
        await receipts.store_answer(work, principal, operation, key, {"reinstatement": number})
    return Reinstated(number, plan.differences, plan.left_out)


async def recompute_run(work: UnitOfWork, challenge_id: int) -> Plan:
    """Compute the failed run again without void quotes; nothing is written. Raises what `reinstate` raises."""
    await work.flush()  # writes a verdict that catching up found
    case = await rows.read_case(work.conn, challenge_id)
    _check(case, challenge_id)
    await check_payouts(work, [challenge_id])
    failed = work.locked_accounts.get(case["account_id"]) or await work.load_account(case["account_id"])
    standing = await voids.standing_voids(work.conn, case["batch"])
    if case["by_hand"] or not await _is_moved(work, failed.account, standing):
        raise VerdictStands("id", challenge=challenge_id, rule=case["rule"])
    recomputation = await replay_run(work.conn, failed, case, [one.span for one in standing])
    calendar = failed.conditions.calendar
    assert calendar, "terms have a calendar"
    account = reinstatements.resume(recomputation.account, calendar, work.now)
    return Plan(case, challenge_id, failed, recomputation, account)


async def replay_run(
    conn: Connection, failed: LockedAccount, case: asyncpg.Record, spans: Collection[Span]
) -> Recomputation:
    """Compute a failed run again up to its verdict, without the quotes of the spans. Raises what `reinstate` raises."""
    rerun = Rerun(_beginning(failed, case), failed.conditions, spans)
    await _Replay(conn, rerun).play(case)
    return rerun.finish()


def _check(case: asyncpg.Record, challenge_id: int) -> None:
    """Raise AlreadyReinstated, or InvalidTransition if there is no verdict to set aside or no sale behind it."""
    status = ChallengeStatus(case["status"])
    if status is not ChallengeStatus.FAILED and case["reinstated_before"]:
        raise AlreadyReinstated("id", challenge=challenge_id, status=status.name)
    if status is not ChallengeStatus.FAILED:
        raise InvalidTransition("id", thing="challenge", current=status.name, target="reinstated")
    sale = None if case["purchase_id"] is None else PurchaseStatus(case["purchase_status"])
    if sale is not PurchaseStatus.ACTIVE:
        raise InvalidTransition("id", thing="purchase", current=sale.name if sale else "DELETED", target="ACTIVE")


async def _is_moved(work: UnitOfWork, account: Account, standing: list[StandingVoid]) -> bool:
    """Return whether void quotes moved the account while they were the newest."""
    for one in standing:
        moved = holdings_moved_by(one.span.symbol, work.catalogue)
        symbols = [symbol for symbol, currency in moved if currency == account.currency]
        if await voids.had_position(work.conn, account.id, symbols, one):
            return True
    return False


def _beginning(failed: LockedAccount, case: asyncpg.Record) -> Account:
    """Return the account as it was when its run began."""
    at, batch = case["start_at"], case["start_batch"]
    if case["figures"] is not None:
        return reinstatements.of_facts(failed.account, json.loads(case["figures"]), at, batch)
    terms, calendar = failed.conditions.terms, failed.conditions.calendar
    assert terms and calendar, "a run has terms"
    return reinstatements.at_start(failed.account, terms.group.deposit, calendar, at, batch)


class _Replay:
    """Reads the quotes and actions for a run that is computed again, a portion at a time."""

    def __init__(self, conn: Connection, rerun: Rerun) -> None:
        self.conn, self.rerun = conn, rerun
        self.read, self.most = 0, settings().reinstatement_quotes_max

    async def play(self, case: asyncpg.Record) -> None:
        """Compute the run up to its verdict, or to where it would have passed. Raises what `recompute_run` raises."""
        rerun, batch = self.rerun, case["batch"]
        bookings = await rows.bookings(self.conn, case["account_id"], case["start_seq"], case["end_seq"])
        first = next((one.batch for one in bookings if one.fill), batch)
        if not await voids.has_quotes_since(self.conn, first):
            raise QuotesForgotten("id", needed_from_batch=first)
        for group in reinstatements.in_groups(bookings):
            await self._bring(group[-1].at, group[-1].batch)
            if rerun.ended:
                return
            market = await voids.good_market(self.conn, rerun.symbols_of(group), group[-1].batch)
            rerun.book(group, market)
        await self._bring(case["market_time"], batch)

    async def _bring(self, at: datetime, batch: int) -> None:
        """Bring the run to a time; only quotes that move its positions are read."""
        rerun = self.rerun
        while rerun.account.positions and not rerun.ended:
            after = rerun.account.marked_through
            batches = await voids.good_batches(self.conn, rerun.symbols, after, batch, QUOTES_AT_ONCE)
            if not batches:
                break
            self.read += sum(len(one.quotes) for one in batches)
            if self.read > self.most:
                raise TooManyQuotes("id", setting="PROPDESK_REINSTATEMENT_QUOTES_MAX", limit=self.most)
            rerun.take(batches)
        if not rerun.ended:
            rerun.advance(at, batch)


async def carry_out(work: UnitOfWork, principal: Principal, plan: Plan, reason: Reason) -> int:
    """Open the new run on a new account and continue the challenge; return the reinstatement's id."""
    case, challenge_id, failed = plan.case, plan.challenge_id, plan.failed
    opened, told = await _open(work, plan, reason), reason.told("REINSTATED")
    assert opened.account.phase, "the new run has begun"
    status = move("challenge", ChallengeStatus.FAILED, ChallengeStatus.ACTIVE)
    await rows.resume_challenge(work.conn, challenge_id, status, opened.account.id)
    await tokens.extend_scopes(work.conn, case["brand"], failed.account.id, opened.account.id)
    number = await rows.insert_reinstatement(
        work.conn,
        challenge_id=challenge_id,
        breach_id=case["breach_id"],
        phase_id=case["phase_id"],
        new_phase_id=opened.account.phase.id,
        actor=principal.actor,
        reason=told,
        at=work.now,
        figures=reinstatements.to_facts(opened.account),
        differences=plan.differences,
        left_out=plan.recomputation.left_out,
    )
    payload: Facts = {
        "phase_index": case["phase_index"],
        "account": opened.account.id,
        "previous_account": failed.account.id,
        "rule": case["rule"],
        "breach": case["breach_id"],
        "reason": told,
    }
    work.emit("prop.challenge.reinstated", brand=case["brand"], challenge_id=challenge_id, payload=payload)
    work.audit(
        principal,
        "reinstateChallenge",
        object_kind="challenge",
        object_id=challenge_id,
        brand=case["brand"],
        reason=reason.internal,
        before={"status": "FAILED", "account": failed.account.id, "breach": case["breach_id"]},
        after={"status": status.name, "account": opened.account.id, "balance": plain(opened.account.cash)},
    )
    return number


async def _open(work: UnitOfWork, plan: Plan, reason: Reason) -> LockedAccount:
    """Open, fund and start the new run's account; its result so far is booked as profit or loss, apart from its
    capital.
    """
    case, terms, phase = plan.case, plan.failed.conditions.terms, run_of(plan.account)
    assert terms, "a run has terms"
    opened = await accounts.open_for_phase(work, case["brand"], case["client"], plan.challenge_id, terms)
    initial = phase.initial_balance
    phase_id = await rows.open_run(work.conn, plan.challenge_id, phase.index, opened.account.id, initial)
    await accounts.fund_account(work, opened)
    facts = reason.facts | {"reinstated_from": plan.failed.account.id}
    for amount, counts in ((initial - opened.account.cash, False), (plan.account.cash - initial, True)):
        if amount:
            await _book(work, opened, amount, facts | {"counts_as_profit": counts})
    started: Facts = {"phase_index": phase.index, "reinstated_from": plan.failed.account.id}
    await accounts.activate_account(work, opened, started)
    opened.account = replace(
        opened.account,
        phase=replace(phase, id=phase_id),
        high_watermark=plan.account.high_watermark,
        blocked_until=plan.account.blocked_until,
    )
    ended = plan.recomputation.days.items()
    work.journal.days |= {(phase_id, number): replace(day, phase_id=phase_id) for (_, number), day in ended}
    days.record_day(opened.account, work.journal, closed=False)
    await rows.copy_days(work.conn, case["phase_id"], phase_id, min(number for _, number in work.journal.days))
    await challenges.start_phase(work.conn, phase_id, opened.account.equity, work.now)
    return opened


async def _book(work: UnitOfWork, opened: LockedAccount, amount: Decimal, facts: Facts) -> None:
    """Transfer the amount between the account and the firm's capital."""
    sides: tuple[House, AccountHolder] = House("CAPITAL"), AccountHolder(opened.account.id)
    source, target = sides if amount > 0 else sides[::-1]
    await transfers.transfer(
        work,
        brand=opened.account.brand,
        kind="ADJUSTMENT",
        money="SYNTHETIC",
        currency=opened.account.currency,
        source=source,
        target=target,
        amount=abs(amount),
        cause=f"account {opened.account.id} goes on from account {facts['reinstated_from']}",
        facts=facts,
    )
