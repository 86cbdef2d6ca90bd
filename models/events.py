"""Events: unnumbered in the outbox with their cause, then stamped in the order in which they were committed."""

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
    brand: str
    challenge_id: int
    name: str
    payload: Facts
    market_time: datetime


# The client is written too: an event outlives its challenge, and is still that client's.
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
    """The outbox's rows of one write."""
    return INSERT, [
        (place, e.brand, e.challenge_id, e.name, canonical(e.payload), e.market_time) for place, e in enumerate(events)
    ]


async def lock_stamping(conn: Connection) -> None:
    """In a statement of its own: the one that stamps must see what was committed before the lock was had."""
    await conn.execute("select pg_advisory_xact_lock($1)", AdvisoryLock.STAMP)


async def stamp(conn: Connection) -> int:
    """Give everything committed to the outbox its dense positions and its number; answers how many."""
    answer: str = await conn.execute(STAMP)
    return int(answer.rsplit(" ", 1)[1])


_PLACE = """(substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) || '/' ||
  (select oid from pg_database where datname = current_database()) || '/')"""
"""Where the database lives: a restore to a moment and a promotion begin a timeline, a dump makes another database.

Behind it stands the number of the transaction that wrote the row: a row that was loaded from a dump has another one.
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
    """What the stamper has to do."""

    events: bool  # some have no position yet
    has_moved: bool  # the database lives elsewhere than when the newest epoch began


class EpochStart(NamedTuple):
    """A span of the database's life, and where the stream and the quotes stood when it began."""

    epoch: int
    position: int
    batch: int


class EpochHistory(NamedTuple):
    """Every epoch in order, and where the stream and the quotes stand now."""

    epochs: tuple[EpochStart, ...]
    position: int
    batch: int


async def stamper_work(conn: Connection) -> StamperWork:
    """Whether there is something to stamp, and whether an epoch has to begin before."""
    row = await conn.fetchrow(_LOOK)
    return StamperWork(row["waiting"], row["has_moved"])


async def begin_epoch(conn: Connection) -> None:
    """Begin an epoch unless one of this server has begun; the caller holds the lock of stamping."""
    await conn.execute(_BEGIN)


async def epoch_history(conn: Connection) -> EpochHistory:
    """The epochs of this database."""
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
    """Delete events older than so many days by the real clock, the oldest `most` of them; answers how many went.

    The position up to which they are gone is kept, so that nobody takes what is left for all there was.
    """
    gone: int = await conn.fetchval(FORGET, days, most)
    return gone


async def notify_stamper(conn: Connection) -> None:
    await conn.execute("select pg_notify($1, '')", CHANNEL)
