"""Statements that insert challenges and their phases and change their status."""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import asyncpg

from domain.lifecycles import ChallengeStatus, PayoutStatus
from domain.terms import PhaseTerms, PhaseType, Terms
from models import sql
from models.sql import Connection, Part


class PhaseMove(NamedTuple):
    id: int
    status: ChallengeStatus
    ended_at: datetime
    end_reason: str


class ChallengeMove(NamedTuple):
    id: int
    status: ChallengeStatus
    ended_at: datetime
    end_reason: str


_MOVE: sql.Columns = {"id": "bigint", "status": "smallint", "ended_at": "timestamptz", "end_reason": "text"}
MOVE_PHASES = sql.update_statement("challenge_phases", ["id"], _MOVE)
MOVE_CHALLENGES = sql.update_statement("challenges", ["id"], _MOVE)
INSERT_PHASES = sql.insert_statement(
    "challenge_phases",
    {
        "challenge_id": "bigint",
        "phase_index": "smallint",
        "phase_type": "smallint",
        "account_id": "bigint",
        "status": "smallint",
        "initial_balance": "numeric",
    },
)
CANCEL_PENDING_PHASES = sql.Bulk(
    f"""update challenge_phases t set status = {ChallengeStatus.CANCELLED:d}, ended_at = n.ended_at,
      end_reason = case n.status when {ChallengeStatus.FAILED:d} then 'CHALLENGE_FAILED' else n.end_reason end
    from {{rows}} as n (id, status, ended_at, end_reason)
    where t.challenge_id = n.id and t.status = {ChallengeStatus.PENDING:d}""",
    tuple(_MOVE.values()),
)


def status_parts(phases: Sequence[PhaseMove], challenges: Sequence[ChallengeMove]) -> list[Part]:
    """Return the updates of status of phases and challenges, and the cancellation of phases that were not reached."""
    return [(MOVE_PHASES, phases), (MOVE_CHALLENGES, challenges), (CANCEL_PENDING_PHASES, challenges)]


async def terms_hashes(conn: Connection, ids: Collection[int]) -> dict[int, str]:
    """Return by challenge the hash of its frozen terms."""
    if not ids:
        return {}
    rows = await conn.fetch("select id, terms_hash from challenges where id = any($1::bigint[])", list(ids))
    return {row["id"]: row["terms_hash"] for row in rows}


async def insert_terms(conn: Connection, digest: str, terms: Terms, body: str) -> None:
    """Insert terms under their hash, unless they are stored already."""
    await conn.execute(
        "insert into terms (hash, version, body, program_version) values ($1, $2, $3, $4) on conflict do nothing",
        digest,
        terms.version,
        body,
        terms.program_version,
    )


async def insert_challenge(
    conn: Connection,
    *,
    brand: str,
    client: str,
    purchase_id: int,
    program_id: int,
    terms_hash: str,
    at: datetime,
) -> int:
    """Insert an ACTIVE challenge at its first phase and return its id."""
    challenge_id: int = await conn.fetchval(
        """insert into challenges (brand, client, purchase_id, program_id, terms_hash, status, created_at)
        values ($1, $2, $3, $4, $5, $6, $7) returning id""",
        brand,
        client,
        purchase_id,
        program_id,
        terms_hash,
        ChallengeStatus.ACTIVE,
        at,
    )
    return challenge_id


async def insert_phases(conn: Connection, challenge_id: int, phases: Sequence[PhaseTerms], account_id: int) -> None:
    """Insert a row for each phase sold: the first ACTIVE on its account, the later ones PENDING without an account."""
    first, later = ChallengeStatus.ACTIVE, ChallengeStatus.PENDING
    await sql.write(
        conn,
        INSERT_PHASES,
        [
            (challenge_id, phase.index, phase.type.value, account_id, first.value, phase.group.deposit)
            if phase.index == 1
            else (challenge_id, phase.index, phase.type.value, None, later.value, phase.group.deposit)
            for phase in phases
        ],
    )


async def open_phase(conn: Connection, challenge_id: int, index: int, account_id: int) -> int:
    """Assign to a pending phase the account that was opened for it; return the phase's id."""
    phase_id: int = await conn.fetchval(
        """update challenge_phases set account_id = $3 where challenge_id = $1 and phase_index = $2 and status = 0
        returning id""",
        challenge_id,
        index,
        account_id,
    )
    return phase_id


async def start_phase(conn: Connection, phase_id: int, start_equity: Decimal, at: datetime) -> None:
    await conn.execute(
        "update challenge_phases set status = $2, start_equity = $3, started_at = $4 where id = $1",
        phase_id,
        ChallengeStatus.ACTIVE,
        start_equity,
        at,
    )


async def set_initial_balance(conn: Connection, phase_id: int, amount: Decimal) -> None:
    """Set the balance from which the profit of a phase is counted."""
    await conn.execute("update challenge_phases set initial_balance = $2 where id = $1", phase_id, amount)


async def set_current_phase(conn: Connection, challenge_id: int, index: int, account_id: int) -> None:
    """Set the current phase and account of a challenge."""
    await conn.execute(
        "update challenges set current_phase_index = $2, account_id = $3 where id = $1",
        challenge_id,
        index,
        account_id,
    )


async def current_accounts(conn: Connection, ids: Sequence[int]) -> dict[int, int | None]:
    """Return by challenge its current account."""
    rows = await conn.fetch("select id, account_id from challenges where id = any($1)", ids)
    return {row["id"]: row["account_id"] for row in rows}


async def read_challenge(conn: Connection, challenge_id: int) -> asyncpg.Record:
    """Return a challenge with wallet, price and status of its purchase and the text (`body`) of its terms.

    The columns of the purchase are null if it was deleted.
    """
    row = await conn.fetchrow(
        """select c.*, p.wallet_id, p.price, p.currency as price_currency, p.status as purchase_status, t.body
        from challenges c left join purchases p on p.id = c.purchase_id join terms t on t.hash = c.terms_hash
        where c.id = $1""",
        challenge_id,
    )
    assert row, "the caller has locked the challenge"
    return row


async def brand_of_challenge(conn: Connection, challenge_id: int) -> str | None:
    """Return the brand of a challenge; None if there is no such challenge."""
    brand: str | None = await conn.fetchval("select brand from challenges where id = $1", challenge_id)
    return brand


async def active_phase(conn: Connection, challenge_id: int) -> int | None:
    """Return the id of the ACTIVE phase, which runs or is about to start; None between two phases."""
    phase_id: int | None = await conn.fetchval(
        "select id from challenge_phases where challenge_id = $1 and status = $2", challenge_id, ChallengeStatus.ACTIVE
    )
    return phase_id


async def first_open_payout(conn: Connection, ids: Sequence[int]) -> asyncpg.Record | None:
    """Return the first of the challenges that has an open payout: `challenge`, `payout` and `status`.

    `payout` and `status` are null if the payout is not written yet, because a funded phase has passed and its account
    is not closed.
    """
    return await conn.fetchrow(
        """select c.id as challenge, p.id as payout, p.status
        from challenges c left join payouts p on p.challenge_id = c.id and p.status = any($2::text[])
        where c.id = any($1::bigint[]) and (p.id is not null
          or exists (
            select from challenge_phases f join accounts a on a.id = f.account_id
            where f.challenge_id = c.id and f.phase_type = $3 and f.status = $4 and a.ended_at is null))
        order by c.id, p.id limit 1""",
        list(ids),
        [PayoutStatus.REQUESTED.value, PayoutStatus.APPROVED.value],
        PhaseType.FUNDED,
        ChallengeStatus.PASSED,
    )


async def phase_end(conn: Connection, account_id: int) -> tuple[ChallengeStatus, str]:
    """Return status and end reason of the phase of an account."""
    row = await conn.fetchrow("select status, end_reason from challenge_phases where account_id = $1", account_id)
    assert row, "the account belongs to a phase"
    return ChallengeStatus(row["status"]), row["end_reason"] or ""


async def day_closed_through(conn: Connection, account_id: int) -> int | None:
    """Return the seq of the ledger row of the account's last breach with the consequence CLOSE_DAY, if there is one."""
    seq: int | None = await conn.fetchval(
        "select max(ledger_seq) from breaches where account_id = $1 and consequence = 'CLOSE_DAY'", account_id
    )
    return seq
