"""Deletion of a program: running challenges are cancelled and its sales deleted, a portion per transaction.

Accounts, their ledger, transfers, payouts, events and the audit stay; deleted sales are kept as JSON in
`removed_sales`. A deletion that was stopped goes on when it is requested again; until then the program stays off sale.
"""

import json
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import asyncpg

from config.settings import settings
from domain.errors import NotFound, PayoutOpen
from domain.ledger import Facts, canonical
from domain.lifecycles import ACCOUNT_ENDS, ChallengeStatus
from domain.money import plain
from domain.reasons import Reason
from models import jobs
from models import program_deletion as rows
from models.program_deletion import DeletedSale
from models.tables.programs import Program
from models.tables.purchases import Purchase
from services import programs, purchases
from services.challenges import call_off, check_payouts, checked_reason, secure_account
from services.principals import Principal, Role
from services.unit_of_work.openings import catch_up_many
from services.unit_of_work.reads import read_connection
from services.unit_of_work.roots import LockRoot
from services.unit_of_work.unit import UnitOfWork

log = logging.getLogger(__name__)

OUTCOME = "its program was deleted"
COUNTERS = (
    "programs", "phases", "purchases", "challenges", "challenge_phases", "days", "breaches", "metrics", "cancelled",
)  # fmt: skip


async def delete_program(
    principal: Principal, program_id: int, reason: str, shown: str | None = None
) -> dict[str, int]:
    """Delete the program, or as many of its sales as the time of one request allows.

    Return the number of deleted rows by table and of challenges `cancelled` since the deletion began; it is complete
    when `programs` is 1, else it goes on when requested again. Raises Forbidden, InvalidInput, NotFound, PayoutOpen
    while a challenge's payout is open, AccountUnreadable; portions deleted before stay deleted.
    """
    principal.require(Role.ADMIN, Role.MANAGER)
    why = checked_reason(reason, shown)
    ends_at = time.monotonic() + settings().removal_seconds_max
    async with read_connection() as conn:
        brand = await rows.brand_of_program(conn, program_id)
        if brand is None or not principal.sees(brand):
            raise NotFound("id", id=program_id)
        if found := await rows.open_payout_of_program(
            conn, program_id
        ):  # before the first portion; each portion checks again
            raise PayoutOpen("id", **found)
    counters = await _delete_portion(principal, program_id, brand, why)
    while not counters["programs"] and time.monotonic() < ends_at:
        counters = await _delete_portion(principal, program_id, brand, why)
    log.info("program %s of %s deleted by %s: %s", program_id, brand, principal.actor, counters)
    return counters


async def _delete_portion(principal: Principal, program_id: int, brand: str, reason: Reason) -> dict[str, int]:
    """Delete some sales in one transaction, with the last of them the program; return the counters so far.

    If two requests delete the program, each takes another portion.
    """
    most = settings().removal_portion
    async with read_connection() as conn:
        chosen = await rows.some_challenges(conn, program_id, most)
    async with catch_up_many([LockRoot.of_challenge(challenge_id) for challenge_id in chosen]) as work:
        if not await rows.lock_program_for_deletion(work.conn, program_id):
            raise NotFound("id", id=program_id)
        work.check_readable()
        await work.flush()  # writes what catching up changed, before the rows are deleted
        challenges = await rows.challenges_of_program(work.conn, program_id, chosen)
        gone = Counter(await _end(work, brand, challenges, reason))
        bought = await _purchases(work, program_id, challenges, most - len(challenges))
        sales = await _sales(work, challenges, bought)
        before = await rows.deletion_progress(work.conn, program_id)
        gone.update(await rows.delete_sales(work.conn, challenges, bought))
        digest = chain(before.hash, sales)
        await rows.insert_deleted_sales(work.conn, program_id, sales)
        gone.update(before.counters)
        if await rows.is_sold(work.conn, program_id):
            await rows.write_deletion_progress(work.conn, program_id, rows.DeletionProgress(dict(gone), digest))
        else:
            gone.update(await _finish(work, principal, program_id, brand, reason.internal, gone, digest))
    return {name: gone[name] for name in COUNTERS}


def chain(digest: str, sales: Sequence[DeletedSale]) -> str:
    """Return the hash over all deleted sales: sha256 of the hash before and the sale's JSON, as hex."""
    for sale in sales:
        digest = sha256(f"{digest}{sale.body}".encode()).hexdigest()
    return digest


async def _end(work: UnitOfWork, brand: str, challenges: Sequence[int], reason: Reason) -> dict[str, int]:
    """Cancel running challenges, and lock the remaining accounts of the others."""
    await check_payouts(work, challenges)
    await rows.lock_wallets(work.conn, await rows.purchases_of(work.conn, challenges))
    running = await rows.running_challenges(work.conn, challenges)
    for challenge_id in running:
        await call_off(work, challenge_id, "PROGRAM_DELETED", reason)
    for held in work.locked_accounts.values():
        if held.stored.challenge_id not in running:
            secure_account(work, held, "PROGRAM_DELETED")
    await work.flush()
    await jobs.finish_jobs_of(work.conn, challenges, OUTCOME)
    for held in work.locked_accounts.values():
        if held.account.positions and held.account.status not in ACCOUNT_ENDS:
            work.enqueue("close_positions", brand=brand, account_id=held.account.id)
    return {"cancelled": len(running)}


async def _purchases(work: UnitOfWork, program_id: int, challenges: Sequence[int], room: int) -> list[int]:
    """Return the purchases of the challenges; with the last challenges, purchases without one as well."""
    bought = await rows.purchases_of(work.conn, challenges)
    if len(await rows.some_challenges(work.conn, program_id, len(challenges) + 1)) > len(challenges):
        return bought
    unused = await rows.unused_purchases(work.conn, program_id, room + len(bought))
    return sorted({*bought, *unused})


async def _finish(
    work: UnitOfWork, principal: Principal, program_id: int, brand: str, reason: str, gone: Counter[str], digest: str
) -> dict[str, int]:
    """Delete the program itself, and audit the whole deletion: the program, the counters, the hash over the sales."""
    program = await Program.get(id=program_id)
    draft = await programs.stored_program(work, program)
    before = {"program": programs.program_facts(draft, program.status, program.version)}
    last = await rows.delete_program(work.conn, program_id)
    counters = {name: (gone + Counter(last))[name] for name in COUNTERS}
    work.audit(
        principal,
        "deleteProgram",
        object_kind="program",
        object_id=program_id,
        brand=brand,
        reason=reason,
        before=before,
        after=counters | {"hash": digest},
    )
    return last


async def _sales(work: UnitOfWork, challenges: Sequence[int], bought: Sequence[int]) -> list[DeletedSale]:
    """Keep a record of what was sold and how it was judged: one row per challenge, and per purchase without one.

    The terms stay stored under the hash that purchases and challenges name.
    """
    facts = {row.id: purchases.purchase_facts(row) for row in await Purchase.filter(id__in=list(bought)).order_by("id")}
    sales = []
    for verdict in _verdicts(*await rows.challenge_records(work.conn, challenges)):
        body = {"purchase": facts.pop(verdict["purchase_id"], None), "challenge": verdict}
        sales.append(DeletedSale(verdict["purchase_id"], verdict["id"], canonical(body)))
    alone = [DeletedSale(id_, None, canonical({"purchase": one, "challenge": None})) for id_, one in facts.items()]
    return sales + alone


def _verdicts(
    ran: Sequence[asyncpg.Record], phases: Sequence[asyncpg.Record], breaches: Sequence[asyncpg.Record]
) -> list[Facts]:
    """Return each challenge with the end of its phases and every breach with its evidence."""
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
    """Return a column as JSON has it: decimals and times as text."""
    if isinstance(value, str | int | None):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else plain(value)
