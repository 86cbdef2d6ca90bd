"""Deleting a program: its running challenges are called off, and all that was sold of it goes, in one transaction.

Accounts, their ledger, transfers, payouts, events and the audit stay; the audit row remembers terms and verdicts.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import asyncpg

from domain.errors import Busy, NotFound
from domain.ledger import Facts
from domain.lifecycles import ACCOUNT_ENDS, ChallengeStatus
from domain.money import plain
from models import jobs
from models import removal as rows
from models.tables.programs import Program
from models.tables.purchases import Purchase
from services import programs, purchases
from services.challenges import call_off, check_payouts, check_reason, secure
from services.principals import Principal, Role
from services.unit import Root, Unit, reading, sweep

log = logging.getLogger(__name__)

TRIES = 5  # a sale that commits between looking and locking makes another try
OUTCOME = "its program was deleted"


class _SoldMeanwhile(Exception):
    """A challenge was bought between looking and locking."""


async def delete_program(principal: Principal, program_id: int, reason: str) -> dict[str, int]:
    """Remove the program; answers how many rows of each table went, and how many challenges were `cancelled`.

    Raises Forbidden, InvalidInput, NotFound, PayoutOpen while the payout of a challenge is open, AccountUnreadable, and
    Busy where it is bought all the while.
    """
    principal.require(Role.ADMIN, Role.MANAGER)
    check_reason(reason)
    for _ in range(TRIES):
        async with reading() as conn:
            brand = await rows.brand_of(conn, program_id)
            sold = await rows.challenges_of(conn, program_id)
        if brand is None or not principal.sees(brand):
            raise NotFound("id", id=program_id)
        try:
            counters = await _delete(principal, program_id, brand, sold, reason)
        except _SoldMeanwhile:
            continue
        log.info("program %s of %s deleted by %s: %s", program_id, brand, principal.actor, counters)
        return counters
    raise Busy(program=program_id)


async def _delete(
    principal: Principal, program_id: int, brand: str, sold: Sequence[int], reason: str
) -> dict[str, int]:
    async with sweep([Root.of_challenge(challenge_id) for challenge_id in sold]) as work:
        if not await rows.lock(work.conn, program_id):
            raise NotFound("id", id=program_id)
        if await rows.challenges_of(work.conn, program_id) != list(sold):
            raise _SoldMeanwhile
        work.check_readable()
        await work.flush()  # what catching up found goes before
        await check_payouts(work, sold)
        await rows.lock_wallets(work.conn, program_id)
        running = await rows.running(work.conn, sold)
        for challenge_id in running:
            await call_off(work, challenge_id, "PROGRAM_DELETED", reason)
        _secure_the_others(work, running)
        await work.flush()
        remembered = await _remember(work, program_id, sold)
        await _let_go(work, brand, sold)
        counters = {"cancelled": len(running)} | await rows.delete(work.conn, program_id, sold)
        work.audit(
            principal,
            "deleteProgram",
            object_kind="program",
            object_id=program_id,
            brand=brand,
            reason=reason,
            before=remembered,
            after=dict(counters),
        )
    return counters


def _secure_the_others(work: Unit, running: Sequence[int]) -> None:
    """Lock what is left of challenges that have ended: nothing will ask for it any more."""
    for held in work.held.values():
        if held.stored.challenge_id not in running:
            secure(work, held, "PROGRAM_DELETED")


async def _let_go(work: Unit, brand: str, sold: Sequence[int]) -> None:
    """Nothing is owed to the challenges; accounts that still hold something close it by themselves."""
    await jobs.finish_all(work.conn, sold, OUTCOME)
    for held in work.held.values():
        if held.account.positions and held.account.status not in ACCOUNT_ENDS:
            work.owe("close_positions", brand=brand, account_id=held.account.id)


async def _remember(work: Unit, program_id: int, sold: Sequence[int]) -> Facts:
    """What proves afterwards what was sold and how it was judged."""
    program = await Program.get(id=program_id)
    draft = await programs.stored(work, program)
    ran, phases, breaches = await rows.verdicts(work.conn, program_id, sold)
    return {
        "program": programs.facts(draft, program.status, program.version),
        "terms": await rows.terms(work.conn, program_id),
        "purchases": [purchases.facts(one) for one in await Purchase.filter(program_id=program_id).order_by("id")],
        "challenges": _verdicts(ran, phases, breaches),
    }


def _verdicts(
    ran: Sequence[asyncpg.Record], phases: Sequence[asyncpg.Record], breaches: Sequence[asyncpg.Record]
) -> list[Facts]:
    """Each challenge with how its phases ended and every breach with its evidence."""
    phases_of: defaultdict[int, list[Facts]] = defaultdict(list)
    for row in phases:
        phases_of[row["challenge_id"]].append(_facts(row) | {"status": ChallengeStatus(row["status"]).name})
    breaches_of: defaultdict[int, list[Facts]] = defaultdict(list)
    for row in breaches:
        breaches_of[row["challenge_id"]].append(_facts(row) | {"derivation": json.loads(row["derivation"])})
    return [
        _facts(row)
        | {
            "status": ChallengeStatus(row["status"]).name,
            "phases": phases_of[row["id"]],
            "breaches": breaches_of[row["id"]],
        }
        for row in ran
    ]


def _facts(row: asyncpg.Record) -> Facts:
    return {name: _fact(value) for name, value in row.items()}


def _fact(value: Any) -> Any:
    """A column as JSON has it: decimals and moments as text."""
    if isinstance(value, str | int | None):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else plain(value)
