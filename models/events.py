"""Events: written to the outbox with their cause, then stamped with positions in the order of the commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from domain.ledger import Facts, canonical
from models import sql
from models.locks import AdvisoryLock
from models.sql import Connection, Part

CHANNEL = "propdesk_events"


DESK = "*"  # in place of a brand, with challenge 0: events of the desk itself, which no brand owns


class NewEvent(NamedTuple):
    """An event to be written to the outbox."""

    brand: str
    challenge_id: int
    name: str
    payload: Facts
    market_time: datetime


# The client is stored too, because an event outlives its challenge and remains visible to the client.
INSERT = sql.Bulk(
    """
insert into outbox (brand, challenge_id, client, name, payload, market_time)
select n.brand, n.challenge_id, c.client, n.name, n.payload, n.market_time
from {rows} as n (place, brand, challenge_id, name, payload, market_time)
left join challenges c on c.id = n.challenge_id order by n.place
""",
    ("bigint", "text", "bigint", "text", "jsonb", "timestamptz"),
)
STAMP = """
with taken as (delete from outbox returning id, brand, challenge_id, client, name, payload, market_time, written_at),
numbered as (
  select *, row_number() over (order by id) as place,
    row_number() over (partition by brand order by id) as place_in_brand,
    row_number() over (partition by challenge_id order by id) as place_in_challenge
  from taken),
counted as (select challenge_id, count(*) as many from taken group by challenge_id),
counted_of_brand as (select brand, count(*) as many from taken group by brand),
raised as (
  insert into challenge_numbers (challenge_id, number) select challenge_id, many from counted
  on conflict (challenge_id) do update set number = challenge_numbers.number + excluded.number
  returning challenge_id, number),
raised_of_brand as (
  insert into brand_positions (brand, position) select brand, many from counted_of_brand
  on conflict (brand) do update set position = brand_positions.position + excluded.position
  returning brand, position),
moved as (update event_position set position = position + (select count(*) from taken) returning position)
insert into events (position, brand, challenge_id, number, client, name, payload, market_time, recorded_at,
  brand_position, epoch)
select (select position from moved) - (select count(*) from taken) + n.place, n.brand, n.challenge_id,
  r.number - c.many + n.place_in_challenge, n.client, n.name, n.payload, n.market_time, n.written_at,
  b.position - o.many + n.place_in_brand, (select epoch from epochs order by id desc limit 1)
from numbered n join raised r using (challenge_id) join counted c using (challenge_id)
join raised_of_brand b on b.brand = n.brand join counted_of_brand o on o.brand = n.brand
"""


def outbox_part(events: Sequence[NewEvent]) -> Part:
    """Return the insert of events into the outbox."""
    return INSERT, [
        (place, e.brand, e.challenge_id, e.name, canonical(e.payload), e.market_time) for place, e in enumerate(events)
    ]


async def lock_stamping(conn: Connection) -> None:
    """Take the stamper's lock. The next statement then sees everything that was committed before."""
    await conn.execute("select pg_advisory_xact_lock($1)", AdvisoryLock.STAMP)


async def stamp(conn: Connection) -> int:
    """Move the committed events of the outbox to the stream, with dense positions and numbers; return how many."""
    tag: str = await conn.execute(STAMP)
    return int(tag.rsplit(" ", 1)[1])


_PLACE = """(substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) || '/' ||
  (select oid from pg_database where datname = current_database()) || '/')"""
"""Timeline and oid of the database: a restore and a promotion begin a timeline, loading a dump makes another database.

The number of the transaction that wrote the row is appended: a row that was loaded from a dump has another one.
"""
_LOOK = f"""
select exists (select from outbox) as waiting,
  (select server <> {_PLACE} || xmin from epochs order by id desc limit 1) as has_moved
"""
_BEGIN = f"""
with named as (
  update epochs set server = {_PLACE} || pg_current_xact_id()::xid where server = '' returning id)
insert into epochs (epoch, server, position, batch)
select 1 + floor(random() * 2147483646)::bigint, {_PLACE} || pg_current_xact_id()::xid, p.position,
  coalesce((select max(number) from batches), 0)
from event_position p, (select server, xmin from epochs order by id desc limit 1) e
where e.server not in ('', {_PLACE} || e.xmin)
"""
_EPOCHS = """
select e.epoch, e.position, e.batch, p.position as newest,
  coalesce((select max(number) from batches), 0) as newest_batch
from epochs e cross join event_position p order by e.id
"""


class StamperWork(NamedTuple):
    """The work that waits for the stamper."""

    events: bool  # are there events without a position?
    has_moved: bool  # has the database moved since the newest epoch began?


class EpochStart(NamedTuple):
    """The start of an epoch: its number, and the newest event position and batch at that time."""

    epoch: int
    position: int
    batch: int


class EpochHistory(NamedTuple):
    """Every epoch in order, and the newest event position and batch now."""

    epochs: tuple[EpochStart, ...]
    position: int
    batch: int


async def stamper_work(conn: Connection) -> StamperWork:
    """Return whether events wait for a position, and whether a new epoch has to begin first."""
    row = await conn.fetchrow(_LOOK)
    return StamperWork(row["waiting"], row["has_moved"])


async def begin_epoch(conn: Connection) -> None:
    """Begin an epoch, unless the newest one is of this database. The caller holds the stamper's lock."""
    await conn.execute(_BEGIN)


async def epoch_history(conn: Connection) -> EpochHistory:
    """Return the epochs of this database."""
    rows = await conn.fetch(_EPOCHS)
    return EpochHistory(
        tuple(EpochStart(row["epoch"], row["position"], row["batch"]) for row in rows),
        rows[0]["newest"],
        rows[0]["newest_batch"],
    )


FORGET = """
with oldest as (select position, recorded_at from events order by position limit $2),
last as (
  select max(position) as position from oldest where recorded_at < clock_timestamp() - make_interval(days => $1)),
gone as (delete from events e using last where e.position <= last.position returning e.position),
noted as (update event_position e set forgotten = last.position from last where last.position is not null)
select count(*) from gone
"""


async def delete_old_events(conn: Connection, days: int, most: int) -> int:
    """Delete the oldest events recorded more than `days` ago by the real clock, at most `most`; return how many.

    The last deleted position is kept, so that a reader knows that earlier events are missing.
    """
    gone: int = await conn.fetchval(FORGET, days, most)
    return gone


async def notify_stamper(conn: Connection) -> None:
    """Tell the stamper that there are events to stamp, once the transaction commits."""
    await conn.execute("select pg_notify($1, '')", CHANNEL)
