"""Reinstatements: the evidence of a failed run, and the new run that replaces it."""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg

from domain.corrections import Difference
from domain.ledger import Facts, Kind, canonical
from domain.lifecycles import ChallengeStatus
from domain.reinstatements import Booking
from models.fills import FILL, fill_from_row
from models.sql import Connection

# One row: the newest run of a challenge's current phase, the breach that failed it, and the first and last ledger rows
# of its trading. `figures` are the opening figures of a run that itself came from a reinstatement, else null.
CASE = """
select c.brand, c.client, c.status, c.purchase_id, u.status as purchase_status, c.account_id,
  p.id as phase_id, p.phase_index, b.id as breach_id, b.rule, b.batch, b.market_time,
  coalesce((b.derivation -> 'by_hand') = 'true', false) as by_hand, s.seq as start_seq, s.batch as start_batch,
  s.market_time as start_at, e.seq as end_seq, o.figures::text as figures,
  exists (select from reinstatements where challenge_id = c.id) as reinstated_before
from challenges c
left join purchases u on u.id = c.purchase_id
left join challenge_phases p on p.account_id = c.account_id
left join breaches b on b.phase_id = p.id and b.consequence = 'FAIL'
left join ledger s on s.account_id = c.account_id and s.kind = 'account_started'
left join ledger e on e.account_id = c.account_id and e.kind = 'phase_failed'
left join reinstatements o on o.new_phase_id = p.id
where c.id = $1
"""
FILLS = f"""
select {", ".join(f"f.{column.strip()}" for column in FILL.split(","))},
  o.type <> 'MARKET' and o.batch < f.batch as triggered
from fills f join orders o on o.account_id = f.account_id and o.seq = f.order_seq
where f.account_id = $1 and f.seq > $2 and f.seq < $3 and f.status = 'BOOKED'
"""
MOVES = """
select seq, kind, amount, market_time, batch, facts::text as facts from ledger
where account_id = $1 and seq > $2 and seq < $3 and kind in ('payout', 'adjustment')
"""
SUPERSEDE = """
update challenge_phases set superseded = true where challenge_id = $1 and phase_index >= $2 and not superseded
returning id
"""
# In the order of phases: a later phase has a higher number.
NEW_RUNS = f"""
insert into challenge_phases (challenge_id, phase_index, phase_type, account_id, status, initial_balance, run)
select challenge_id, phase_index, phase_type, case phase_index when $2 then $3::bigint end,
  case phase_index when $2 then {ChallengeStatus.ACTIVE:d} else {ChallengeStatus.PENDING:d} end,
  case phase_index when $2 then $4::numeric else initial_balance end, run + 1
from challenge_phases where id = any($1::bigint[]) order by phase_index
returning id, phase_index
"""


async def read_case(conn: Connection, challenge_id: int) -> asyncpg.Record:
    """Return a locked challenge with the newest run of its current phase and, if that failed, the verdict."""
    row = await conn.fetchrow(CASE, challenge_id)
    assert row, "the caller has locked the challenge"
    return row


async def bookings(conn: Connection, account_id: int, after: int, before: int) -> list[Booking]:
    """Return the bookings of cash and positions between two ledger rows, in order of seq, without void fills."""
    fills = [_of_fill(row) for row in await conn.fetch(FILLS, account_id, after, before)]
    moves = [_of_move(row) for row in await conn.fetch(MOVES, account_id, after, before)]
    return sorted(fills + moves, key=lambda booking: booking.seq)


def _of_fill(row: asyncpg.Record) -> Booking:
    fill = fill_from_row(row)
    return Booking(fill.seq, fill.filled_at, fill.batch, fill, row["triggered"])


def _of_move(row: asyncpg.Record) -> Booking:
    kind, facts = Kind(row["kind"]), json.loads(row["facts"])
    return Booking(row["seq"], row["market_time"], row["batch"], kind=kind, amount=row["amount"], facts=facts)


async def open_run(conn: Connection, challenge_id: int, index: int, account_id: int, initial_balance: Decimal) -> int:
    """Replace the failed run of a phase by a new run on the account that was opened for it; return the new run's id.

    Each later phase, which the failure ended, gets a new PENDING row too.
    """
    old = [row["id"] for row in await conn.fetch(SUPERSEDE, challenge_id, index)]
    rows = await conn.fetch(NEW_RUNS, old, index, account_id, initial_balance)
    return next(int(row["id"]) for row in rows if row["phase_index"] == index)


async def copy_days(conn: Connection, phase_id: int, new_phase_id: int, before: int) -> None:
    """Copy the days of the failed run with numbers below `before` to the new run."""
    await conn.execute(
        """insert into days select $2, number, date, start_balance, start_equity, balance, equity, low, high, traded,
          ends_at, closed from days where phase_id = $1 and number < $3""",
        phase_id,
        new_phase_id,
        before,
    )


async def resume_challenge(conn: Connection, challenge_id: int, status: ChallengeStatus, account_id: int) -> None:
    """Reopen the challenge, on the account."""
    await conn.execute(
        "update challenges set status = $2, ended_at = null, end_reason = null, account_id = $3 where id = $1",
        challenge_id,
        status,
        account_id,
    )


async def insert_reinstatement(
    conn: Connection,
    *,
    challenge_id: int,
    breach_id: int,
    phase_id: int,
    new_phase_id: int,
    actor: str,
    reason: str,
    at: datetime,
    figures: Facts,
    differences: Sequence[Difference],
    left_out: Sequence[int],
) -> int:
    """Insert a reinstatement and return its id."""
    entries = [{"what": one.what, "stored": one.stored, "computed": one.computed} for one in differences]
    reinstatement_id: int = await conn.fetchval(
        """insert into reinstatements (challenge_id, breach_id, phase_id, new_phase_id, actor, reason, market_time,
          figures, differences, left_out) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning id""",
        challenge_id,
        breach_id,
        phase_id,
        new_phase_id,
        actor,
        reason,
        at,
        canonical(figures),
        json.dumps(entries),
        json.dumps(list(left_out)),
    )
    return reinstatement_id


async def reinstatement_outcome(conn: Connection, reinstatement_id: int) -> tuple[list[Difference], list[str]]:
    """Return the differences of a reinstatement, and the ids of the fills that the new run leaves out."""
    row = await conn.fetchrow(
        """select r.differences::text as differences, r.left_out::text as left_out, p.account_id
        from reinstatements r join challenge_phases p on p.id = r.phase_id where r.id = $1""",
        reinstatement_id,
    )
    assert row, "a receipt names an existing reinstatement"
    entries = [Difference(**one) for one in json.loads(row["differences"])]
    return entries, [f"{row['account_id']}-{seq}" for seq in json.loads(row["left_out"])]
