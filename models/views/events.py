"""Stamped events: the list of a challenge, and the stream that the hub distributes."""

from collections.abc import Sequence
from typing import NamedTuple

from models.sql import Connection
from models.views.list_query import Listing, OrderKey, ParentLink, Row
from models.views.visibility import Visibility, Where, of_event

EVENTS = Listing(
    columns="t.brand_position as position, t.brand, t.challenge_id, t.number, t.name, t.payload, t.market_time, "
    "t.recorded_at, t.epoch",
    source="events t",
    visibility=of_event,
    order=(OrderKey("t.number", "number"),),
    filters={"names": "t.name = any({}::text[])"},
    parents={"challenge": ParentLink("t.challenge_id = p.id", implied=False)},  # a trader does not see all of them
)
_STREAM = """select t.position, t.brand, t.challenge_id, t.number, t.name, t.payload, t.market_time, t.client,
  t.recorded_at, t.brand_position, t.epoch, a.accounts, a.clones
from events t left join lateral (
  select array_agg(s.id) as accounts, array_agg(s.clone) as clones
  from accounts s where s.challenge_id = t.challenge_id) a on true"""


class StreamExtent(NamedTuple):
    """The ends of the stream: the newest position (0 before the first event), and the last deleted position."""

    newest: int
    forgotten: int


async def stream_extent(conn: Connection) -> StreamExtent:
    """Return the ends of the stream."""
    row = await conn.fetchrow("select position, forgotten from event_position")
    assert row, "the migration inserts the row"
    return StreamExtent(row["position"], row["forgotten"])


async def find_event_position(
    conn: Connection, visibility: Visibility, challenge_id: int, number: int, epoch: int
) -> int | None:
    """Return the position of an event in the stream; None if it is deleted or not visible."""
    where = Where()
    where.add("t.challenge_id = {} and t.number = {} and t.epoch = {}", challenge_id, number, epoch)
    of_event(where, visibility)
    position: int | None = await conn.fetchval(f"select t.position from events t{where.text}", *where.values)
    return position


async def events_after(conn: Connection, position: int, most: int) -> list[Row]:
    """Return the next events of all brands, in order, at most `most`."""
    statement = f"{_STREAM} where t.position > $1 order by t.position limit $2"
    rows: list[Row] = await conn.fetch(statement, position, most)
    return rows


async def missed_events(
    conn: Connection,
    visibility: Visibility,
    after: int,
    through: int,
    most: int,
    *,
    challenges: Sequence[int] | None,
    names: Sequence[str] | None,
    client: str | None,
) -> list[Row]:
    """Return the visible events with after < position <= through that match, in order, at most `most`."""
    where = Where()
    where.add("t.position > {} and t.position <= {}", after, through)
    of_event(where, visibility)
    for clause, value in (
        ("t.challenge_id = any({}::bigint[])", challenges),
        ("t.name = any({}::text[])", names),
        ("t.client = {}", client),
    ):
        if value is not None:
            where.add(clause, value)
    where.values.append(most)
    statement = f"{_STREAM}{where.text} order by t.position limit ${len(where.values)}"
    rows: list[Row] = await conn.fetch(statement, *where.values)
    return rows
