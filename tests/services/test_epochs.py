"""A restore to an earlier moment begins an epoch: nobody takes the new events for those that had their numbers."""

from collections.abc import Callable

import pytest

from config.database import connection
from models.views.visibility import Visibility
from schema.engine.ids import format_cursor, parse_cursor
from services import events, quotes
from services.epochs import Restored, Watch
from services.jobs import work_queue
from services.quote_cache import quote_cache
from services.unit_of_work.openings import transaction
from services.unit_of_work.reads import read_connection
from services.views.events import Cursor, CursorExpired, position_of
from tests.services.world import a_quote, a_world, rows, value

SEEN = Visibility(brand="acme")


async def _tell(*names: str) -> None:
    async with transaction() as work:
        for name in names:
            work.emit(name, brand="acme", challenge_id=7, payload={})
    await events.stamp()


async def _execute(database: str, *statements: str) -> None:
    async with connection(database) as conn:
        for statement in statements:
            await conn.execute(statement)


MOVED = "update epochs set server = 'elsewhere/1/1' where id = (select max(id) from epochs)"
"""As it looks after a restore or a promotion: the newest epoch began on another server or timeline."""

LOADED = "update epochs set began_at = began_at"
"""As it looks after a dump was loaded into the same server: other transactions have written the rows."""

LOST = (
    "delete from events where position = (select max(position) from events)",
    "update event_position set position = position - 1",
    "update challenge_numbers set number = number - 1 where challenge_id = 7",
    "update brand_positions set position = position - 1 where brand = 'acme'",
)
"""The newest event, as a restore to before it loses it."""


async def test_a_cursor_of_a_lost_event_has_expired_also_once_another_event_has_its_number(database: str) -> None:
    await a_world(database)
    await _tell("first", "second", "third")
    await _execute(database, *LOST, MOVED)
    with pytest.raises(CursorExpired):
        await position_of(SEEN, Cursor(7, 3))
    await _tell("other")
    told = await rows("select number, name, epoch from events where challenge_id = 7 order by number")
    assert [(row["number"], row["name"]) for row in told] == [(1, "first"), (2, "second"), (3, "other")]
    epoch = told[2]["epoch"]
    assert (told[0]["epoch"], told[1]["epoch"]) == (0, 0)
    assert epoch > 0
    with pytest.raises(CursorExpired):
        await position_of(SEEN, Cursor(7, 3))
    assert await position_of(SEEN, Cursor(7, 2)) + 1 == await position_of(SEEN, Cursor(7, 3, epoch))
    with pytest.raises(CursorExpired):
        await position_of(SEEN, Cursor(7, 2, epoch))


@pytest.mark.parametrize("moved", [MOVED, LOADED])
async def test_an_epoch_begins_once_and_the_same_server_goes_on_in_the_one_it_has(database: str, moved: str) -> None:
    await a_world(database)
    await _tell("first")
    await _tell("second")
    assert await value("select count(*) from epochs") == 1, "the first one takes the server's name, and no other begins"
    await _execute(database, moved)
    await events.stamp()
    await events.stamp()
    assert await value("select count(*) from epochs") == 2
    position = await value("select position from event_position")
    assert await value("select position from epochs order by id desc limit 1") == position


async def _lose_an_event(database: str) -> None:
    await _execute(database, *LOST, MOVED)
    await _tell("other")  # as many as before


async def _lose_a_batch(database: str) -> None:
    newest = "(select max(number) from batches)"
    statements = [f"delete from {table} where batch = {newest}" for table in ("quotes", "latest_quotes")]
    await _execute(database, *statements, f"delete from batches where number = {newest}", MOVED)
    await events.stamp()


async def _lose_an_epoch(database: str) -> None:
    await _execute(database, "delete from epochs where id = (select max(id) from epochs)", MOVED)
    await events.stamp()


@pytest.mark.parametrize("lose", [_lose_an_event, _lose_a_batch, _lose_an_epoch])
async def test_a_process_that_has_seen_what_is_lost_ends(database: str, lose: Callable[[str], object]) -> None:
    world = await a_world(database)
    await _execute(database, MOVED)
    await _tell("first", "second")
    await quotes.ingest([a_quote("EURUSD", "1.2", world.at)])
    watch = Watch()
    await watch.look()
    await watch.look()
    await lose(database)  # type: ignore[misc]
    with pytest.raises(Restored, match="restore to an earlier moment"):
        await watch.look()


async def test_a_process_goes_on_where_the_database_moved_and_lost_nothing(database: str) -> None:
    world = await a_world(database)
    watch = Watch()
    await watch.look()
    await _tell("first")
    async with read_connection() as conn:
        await quote_cache().extend(conn)
    await _execute(database, MOVED)
    await quotes.ingest([a_quote("EURUSD", "1.2", world.at)])
    await _tell("second")
    await work_queue.do_jobs()
    await watch.look()
    await watch.look()


@pytest.mark.parametrize("head", [1, 3])
async def test_what_the_hub_passed_on_after_the_last_look_counts(database: str, head: int) -> None:
    await a_world(database)
    start = await value("select position from event_position")
    watch = Watch(lambda: start + head)
    await _tell("first")
    await watch.look()
    await _execute(database, MOVED)
    await events.stamp()
    await _tell("second", "third", "fourth")
    if head > 1:
        with pytest.raises(Restored):
            await watch.look()
    else:
        await watch.look()


@pytest.mark.parametrize(("place", "epoch"), [("7-3", 0), ("7-3", 1), ("12", 0x7FFFFFFF), ("7-3", 0xE)])
def test_a_cursor_is_read_as_it_was_written(place: str, epoch: int) -> None:
    assert parse_cursor(format_cursor(place, epoch)) == (place, epoch)


@pytest.mark.parametrize("text", ["7-3-e0", "7-3-e", "7-3-exyz", "7-3-e123456789", "e1", "", "-e"])
def test_a_malformed_epoch_is_no_epoch(text: str) -> None:
    assert parse_cursor(text) == (text, 0)


async def test_what_has_been_seen_of_a_new_primary_is_not_taken_for_lost(database: str) -> None:
    await a_world(database)
    seen = 0
    watch, careless = Watch(lambda: seen), Watch(lambda: seen)
    await _tell("first")
    seen = 1
    await watch.look()
    await careless.look()
    watch.remember()  # as the fence asks for, before it lets the first connection to the new primary through
    await _execute(database, MOVED)
    await _tell("second")
    seen = 2
    await watch.look()
    with pytest.raises(Restored):
        await careless.look()
