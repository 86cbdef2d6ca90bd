"""Synthetic accounts: opened, funded, started, ended."""

import json

from domain import days
from domain.accounts import Mode
from domain.ledger import Kind
from domain.lifecycles import AccountStatus, move
from domain.money import plain
from domain.terms import Group, PhaseTerms, PhaseType, to_text
from models import accounts, challenges
from services.transfers import AccountHolder, House
from services.transfers import move as transfer
from services.unit import Held, Unit

PHASE_MODE = {PhaseType.EVALUATION: Mode.EVALUATION, PhaseType.FUNDED: Mode.FUNDED}


async def open_for_phase(work: Unit, brand: str, client: str, challenge_id: int, phase: PhaseTerms) -> Held:
    """A PENDING account in the phase's frozen group, held by the unit."""
    group: Group = phase.group
    account_id = await accounts.insert(
        work.conn,
        brand=brand,
        challenge_id=challenge_id,
        group_name=group.name,
        mode=PHASE_MODE[phase.type],
        owner=client,
        currency=group.currency,
        policy=to_text(group.policy),
        starting_balance=group.deposit,
        marked_through=work.batch,
        at=work.now,
    )
    held = await work.adopt(account_id)
    facts = {"challenge": challenge_id, "phase_index": phase.index, "group": group.name, "currency": group.currency}
    held.account = work.journal.append(held.account, Kind.ACCOUNT_CREATED, work.now, work.batch, facts)
    return held


async def fund(work: Unit, held: Held) -> None:
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


async def start(work: Unit, held: Held, *, phase_id: int, challenge_id: int, phase: PhaseTerms) -> None:
    """Make the account active and begin its phase: day 1, start balance and equity."""
    account = held.account
    status = move("account", account.status, AccountStatus.ACTIVE)
    facts = {"balance": plain(account.cash), "phase_index": phase.index}
    account = work.journal.append(
        account,
        Kind.ACCOUNT_STARTED,
        work.now,
        work.batch,
        facts,
        status=status,
        high_watermark=account.equity,
        marked_at=work.now,
    )
    assert held.stored.terms, "an account of a phase has terms"
    calendar = held.stored.calendar
    assert calendar, "terms have a calendar"
    held.account = days.begin(
        account,
        phase_id=phase_id,
        challenge_id=challenge_id,
        index=phase.index,
        initial_balance=phase.group.deposit,
        calendar=calendar,
        at=work.now,
        journal=work.journal,
    )
    await accounts.mark_started(work.conn, account.id, work.now)
    await challenges.start_phase(work.conn, phase_id, account.equity, work.now)


async def end(work: Unit, held: Held, status: AccountStatus) -> None:
    """Move the account to a terminal status and keep its final snapshot."""
    account = held.account
    assert not account.positions, "an account ends flat"
    kind = Kind.ACCOUNT_COMPLETED if status is AccountStatus.COMPLETED else Kind.ACCOUNT_LIQUIDATED
    target = move("account", account.status, status)
    result = {
        "balance": plain(account.cash),
        "equity": plain(account.equity),
        "realised": plain(account.realised),
        "fees": plain(account.fees),
        "high_watermark": plain(account.high_watermark),
        "profit": plain(account.realised - account.fees),
    }
    held.account = work.journal.append(account, kind, work.now, work.batch, dict(result), status=target, read_only=True)
    await accounts.mark_ended(work.conn, account.id, work.now, json.dumps(result))


def lock(work: Unit, held: Held, reason: str) -> None:
    """Lock an account that may no longer be used."""
    status = move("account", held.account.status, AccountStatus.LOCKED)
    held.account = work.journal.append(
        held.account, Kind.ACCOUNT_LOCKED, work.now, work.batch, {"reason": reason}, status=status
    )
