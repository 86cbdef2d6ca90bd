"""The life of a synthetic account: it is opened, funded, started and ended."""

import json
from dataclasses import dataclass

from domain import days
from domain.accounts import Mode
from domain.ledger import Facts, Kind
from domain.lifecycles import AccountStatus, move
from domain.money import plain
from domain.terms import Group, PhaseTerms, PhaseType, to_text
from models import accounts, challenges
from services.transfers import AccountHolder, House, transfer
from services.unit_of_work.locked_account import LockedAccount
from services.unit_of_work.unit import UnitOfWork

PHASE_MODE = {PhaseType.EVALUATION: Mode.EVALUATION, PhaseType.FUNDED: Mode.FUNDED}


@dataclass(frozen=True, slots=True)
class NewAccount:
    """The properties of an account to be opened that do not come from its group."""

    mode: Mode
    owner: str | None = None
    clone: str | None = None
    parent_id: int | None = None
    challenge_id: int | None = None
    phase_index: int | None = None


async def open_for_phase(
    work: UnitOfWork, brand: str, client: str, challenge_id: int, phase: PhaseTerms
) -> LockedAccount:
    """Open a PENDING account with the phase's frozen group; the unit of work holds its lock."""
    opening = NewAccount(PHASE_MODE[phase.type], client, challenge_id=challenge_id, phase_index=phase.index)
    return await open_account(work, brand, phase.group, opening)


async def open_account(work: UnitOfWork, brand: str, group: Group, opening: NewAccount) -> LockedAccount:
    """Open a PENDING account with the group's present currency, deposit and policy; the unit of work holds its lock."""
    account_id = await accounts.insert_account(
        work.conn,
        brand=brand,
        challenge_id=opening.challenge_id,
        group_name=group.name,
        mode=opening.mode,
        owner=opening.owner,
        currency=group.currency,
        policy=to_text(group.policy),
        starting_balance=group.deposit,
        marked_through=work.batch,
        at=work.now,
        clone=opening.clone,
        parent_id=opening.parent_id,
    )
    held = await work.load_account(account_id)
    facts: Facts = {
        "mode": opening.mode.value,
        "challenge": opening.challenge_id,
        "phase_index": opening.phase_index,
        "group": group.name,
        "currency": group.currency,
    }
    held.account = work.journal.append(held.account, Kind.ACCOUNT_CREATED, work.now, work.batch, facts)
    return held


async def fund_account(work: UnitOfWork, held: LockedAccount) -> None:
    """Deposit the initial balance from the firm's synthetic capital."""
    account = held.account
    await transfer(
        work,
        brand=account.brand,
        kind="DEPOSIT",
        money="SYNTHETIC",
        currency=account.currency,
        source=House("CAPITAL"),
        target=AccountHolder(account.id),
        amount=account.starting_balance,
        cause=f"account {account.id} initial balance",
    )


async def activate_account(work: UnitOfWork, held: LockedAccount, facts: Facts | None = None) -> None:
    """Make a funded account active. A locked account stays locked; unlocking makes it ACTIVE."""
    account = held.account
    locked = account.status is AccountStatus.LOCKED and account.locked_from is AccountStatus.PENDING
    if not locked:
        move("account", account.status, AccountStatus.ACTIVE)
    held.account = work.journal.append(
        account,
        Kind.ACCOUNT_STARTED,
        work.now,
        work.batch,
        {"balance": plain(account.cash)} | (facts or {}),
        status=account.status if locked else AccountStatus.ACTIVE,
        locked_from=AccountStatus.ACTIVE if locked else None,
        high_watermark=account.equity,
        marked_at=work.now,
    )
    await accounts.mark_started(work.conn, account.id, work.now)


async def start_phase(
    work: UnitOfWork, held: LockedAccount, *, phase_id: int, challenge_id: int, phase: PhaseTerms
) -> None:
    """Make the account active and begin its phase: day 1, start balance, start equity."""
    await activate_account(work, held, {"phase_index": phase.index})
    assert held.stored.terms, "an account of a phase has terms"
    calendar = held.stored.calendar
    assert calendar, "terms have a calendar"
    held.account = days.begin(
        held.account,
        phase_id=phase_id,
        challenge_id=challenge_id,
        index=phase.index,
        initial_balance=phase.group.deposit,
        calendar=calendar,
        at=work.now,
        journal=work.journal,
    )
    await challenges.start_phase(work.conn, phase_id, held.account.equity, work.now)


async def end_account(work: UnitOfWork, held: LockedAccount, status: AccountStatus) -> None:
    """Move the account to a terminal status and store its final figures."""
    account = held.account
    assert not account.positions, "an account ends flat"
    assert not account.orders, "and nothing of it rests"
    kind = Kind.ACCOUNT_COMPLETED if status is AccountStatus.COMPLETED else Kind.ACCOUNT_LIQUIDATED
    target = move("account", account.status, status)
    result = await _result(work, held)
    held.account = work.journal.append(
        account, kind, work.now, work.batch, result, status=target, read_only=True, locked_from=None
    )
    await accounts.mark_ended(work.conn, account.id, work.now, json.dumps(result))


async def _result(work: UnitOfWork, held: LockedAccount) -> Facts:
    """Return the account's final figures in its currency; `profit` includes the adjustments that count as profit."""
    account = held.account
    past = await accounts.trading_history(work.conn, account.id)
    unwritten = sum(fill.account == account.id for fill in work.journal.fills)
    return {
        "starting_balance": plain(account.starting_balance),
        "balance": plain(account.cash),
        "equity": plain(account.equity),
        "realised": plain(account.realised),
        "fees": plain(account.fees),
        "profit": plain(account.realised - account.fees + past["adjusted"]),
        "high_watermark": plain(account.high_watermark),
        "fills": past["fills"] + unwritten,
        "started_at": past["started_at"].isoformat() if past["started_at"] else None,
        "ended_at": work.now.isoformat(),
    }
