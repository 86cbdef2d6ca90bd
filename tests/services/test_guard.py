"""The guard of an instrument at work: what it holds back marks, judges and fills nothing, and is counted and told."""

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import InvalidInput
from domain.instruments import GuardMode
from domain.quote_guard import QuoteFinding
from domain.quotes import Quote
from services import events, instruments, quote_guard, quotes, system
from services.principals import Principal, Role
from services.quote_cache import quote_cache
from tests.services.world import ADMIN, World, a_quote, a_world, act, another_process, books_hold, rows, settle, value

SECOND = timedelta(seconds=1)
FEED, OTHER = Principal(8, "feed", Role.FEED), Principal(9, "second feed", Role.FEED)
HOLD = {"mode": GuardMode.HOLD, "move_pct": Decimal(5), "spread_pct": Decimal(2), "frozen_seconds": 900}


async def a_guarded_world(url: str, guard: Mapping[str, Any] = HOLD, **world: Any) -> World:
    """A desk whose EURUSD, at 1.1, has this guard."""
    found = await a_world(url, **world)
    await instruments.update_instrument(ADMIN, "EURUSD", {"guard": guard})
    return found


async def hand_in(world: World, *mids: str, after: timedelta = SECOND, source: Principal = FEED) -> quotes.Ingested:
    """Quotes of one request, each so much later than the one before; marked and judged."""
    offered = []
    for mid in mids:
        world.at += after
        offered.append(a_quote("EURUSD", mid, world.at))
    taken = await quotes.ingest(offered, source)
    await settle()
    return taken


async def told() -> list[tuple[str, str, int]]:
    """Outcome, finding and count of every event of the feed, in order."""
    await events.stamp()
    found = await rows(
        "select brand, challenge_id, payload from events where name = $1 order by position", quote_guard.EVENT
    )
    assert all((row["brand"], row["challenge_id"]) == ("*", 0) for row in found)
    facts = [json.loads(row["payload"]) for row in found]
    return [(one["outcome"], one["finding"], one["count"]) for one in facts]


async def dropped() -> int:
    many: int = await value("select coalesce(sum(count), 0)::int from dropped_quotes where reason = 'SUSPECT'")
    return many


async def test_a_tenfold_quote_for_a_moment_fails_nobody_and_is_told(database: str) -> None:
    world = await a_guarded_world(database)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000", side="SHORT", stop_loss="1.3")
    taken = await hand_in(world, "11")
    assert (taken.accepted, taken.batches, taken.dropped) == (0, [], [])
    assert taken.suspect == [("EURUSD", QuoteFinding.MOVE, True, 1)]
    [held] = (await system.read_state()).suspect
    assert (held.symbol, held.source, held.finding) == ("EURUSD", "feed", QuoteFinding.MOVE)
    filled = await act(account, "INCREASE", action_id="a2", quantity="1000", side="SHORT")
    assert filled.fill
    assert filled.fill.price < 2, "filled at the last good quote"
    taken = await hand_in(world, "1.1001", after=0.3 * SECOND)
    assert (taken.accepted, taken.suspect) == (1, [])
    assert await value("select status from challenge_phases where account_id = $1", account) == 1
    assert await value("select count(*) from positions where status = 'OPEN'") == 1, "no stop-loss was triggered"
    assert await value("select max(ask) from quotes where symbol = 'EURUSD'") < 2
    assert (await dropped(), (await system.read_state()).suspect) == (1, [])
    assert await told() == [("HELD", "MOVE", 1), ("DROPPED", "MOVE", 1)]
    await books_hold()


async def test_a_crash_is_judged_at_its_second_quote(database: str) -> None:
    world = await a_guarded_world(database)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await hand_in(world, "0.9")
    assert await value("select status from challenge_phases where account_id = $1", account) == 1
    taken = await hand_in(world, "0.91")
    assert (taken.accepted, taken.suspect) == (1, [])
    assert await value("select status from challenge_phases where account_id = $1", account) == 3
    assert await value("select bid from quotes where symbol = 'EURUSD' order by batch desc limit 1") == Decimal(
        "0.90999"
    )
    assert await dropped() == 0
    assert await told() == [("HELD", "MOVE", 1), ("CONFIRMED", "MOVE", 1)]
    await books_hold()


async def test_a_second_source_confirms_and_the_same_quote_sent_again_does_not(database: str) -> None:
    world = await a_guarded_world(database)
    await hand_in(world, "0.9")
    for _ in range(2):
        taken = await quotes.ingest([a_quote("EURUSD", "0.9", world.at)], FEED)
        assert (taken.accepted, taken.suspect) == (0, [])
    taken = await quotes.ingest([a_quote("EURUSD", "0.9", world.at)], OTHER)
    assert taken.accepted == 1


async def test_two_requests_at_once_decide_one_after_the_other(database: str) -> None:
    world = await a_guarded_world(database)
    later = [a_quote("EURUSD", "0.9", world.at + n * SECOND) for n in (1, 2)]
    taken = await asyncio.gather(*(quotes.ingest([one], by) for one, by in zip(later, (FEED, OTHER), strict=True)))
    assert sorted(one.accepted for one in taken) == [0, 1]
    assert await value("select count(*) from suspect_quotes") == 0


async def test_what_is_held_is_remembered_by_a_process_that_has_just_begun(database: str) -> None:
    world = await a_guarded_world(database)
    await hand_in(world, "0.9")
    quote_cache().__init__()  # type: ignore[misc] # as after a restart
    quotes._checked().clear()  # noqa: SLF001
    assert (await hand_in(world, "0.9")).accepted == 1


async def test_after_a_weekend_a_move_is_not_suspect(database: str) -> None:
    world = await a_guarded_world(database)
    taken = await hand_in(world, "1.2", after=timedelta(days=2))
    assert (taken.accepted, taken.suspect) == (1, [])


async def test_a_wide_spread_is_held_and_confirmed_by_the_next(database: str) -> None:
    world = await a_guarded_world(database)
    wide = [Quote("EURUSD", Decimal("1.08"), Decimal("1.12"), world.at + n * SECOND) for n in range(1, 5)]
    taken = await quotes.ingest(wide, FEED)
    assert (taken.accepted, taken.suspect) == (3, [("EURUSD", QuoteFinding.SPREAD, True, 1)])
    assert await told() == [("HELD", "SPREAD", 1), ("CONFIRMED", "SPREAD", 1)]


async def test_a_price_that_stands_still_grows_old_until_it_moves(database: str) -> None:
    world = await a_guarded_world(database)
    minutes = 20
    taken = await hand_in(world, *["1.1"] * minutes, after=timedelta(minutes=1))
    assert (taken.accepted, taken.suspect) == (14, [("EURUSD", QuoteFinding.FROZEN, True, 6)])
    seen = await value("select source_time from latest_quotes where symbol = 'EURUSD'")
    assert seen == world.at - timedelta(minutes=6)
    assert (await hand_in(world, "1.1001")).accepted == 1
    assert await dropped() == 6
    assert await told() == [("HELD", "FROZEN", 1), ("DROPPED", "FROZEN", 1)]


async def test_a_guard_that_warns_accepts_and_tells_once(database: str) -> None:
    world = await a_guarded_world(database, HOLD | {"mode": GuardMode.WARN})
    wide = [Quote("EURUSD", Decimal("1.08"), Decimal("1.12"), world.at + n * SECOND) for n in range(1, 5)]
    taken = await quotes.ingest(wide, FEED)
    assert (taken.accepted, taken.suspect) == (4, [("EURUSD", QuoteFinding.SPREAD, False, 4)])
    assert await told() == [("WARNED", "SPREAD", 1)]


async def test_a_guard_that_is_off_accepts_and_says_nothing(database: str) -> None:
    world = await a_guarded_world(database, HOLD | {"mode": GuardMode.OFF})
    taken = await hand_in(world, "11", "1.1")
    assert (taken.accepted, taken.suspect, await told()) == (2, [], [])


async def test_a_request_with_very_many_suspect_quotes_writes_few_events(database: str) -> None:
    world = await a_guarded_world(database)
    taken = await hand_in(world, *["11", "1.1"] * 100, after=SECOND)
    assert (taken.accepted, taken.suspect) == (100, [("EURUSD", QuoteFinding.MOVE, True, 100)])
    assert await told() == [("HELD", "MOVE", 100), ("DROPPED", "MOVE", 100)]
    assert await dropped() == 100


async def test_a_held_quote_that_nothing_decides_is_dropped_in_time(database: str) -> None:
    world = await a_guarded_world(database, HOLD | {"move_seconds": 1}, replay=False)
    at = await value("select clock_timestamp()")
    await quotes.ingest([a_quote("EURUSD", "1.1", at)], FEED)
    await quotes.ingest([a_quote("EURUSD", "0.9", at + SECOND / 100)], FEED)
    assert await quote_guard.expire_suspects() == 0
    async with another_process(database) as other:
        await other.execute("update suspect_quotes set held_at = held_at - interval '2 seconds'")
    assert [await quote_guard.expire_suspects(), await quote_guard.expire_suspects()] == [1, 0]
    assert (await dropped(), (await system.read_state()).suspect) == (1, [])
    assert await told() == [("HELD", "MOVE", 1), ("DROPPED", "MOVE", 1)]
    assert world.at <= at


async def test_however_a_replay_hands_its_quotes_in_the_same_are_accepted(database: str) -> None:
    mids = ["1.1", "11", "1.1002", "0.9", "0.91", "9", "0.92", "0.92", "1.1", "1.1", "1.2"]
    world = await a_guarded_world(database)

    async def accepted_since(begin: datetime) -> list[tuple[timedelta, Decimal]]:
        found = await rows("select source_time, bid from quotes where source_time > $1 order by batch", begin)
        return [(row["source_time"] - begin, row["bid"]) for row in found]

    begin = world.at
    await hand_in(world, *mids, after=30 * SECOND)
    at_once = await accepted_since(begin)
    begin = world.at = world.at + timedelta(days=3)
    for mid in mids:
        await hand_in(world, mid, after=30 * SECOND)
    assert await accepted_since(begin) == at_once
    assert len(at_once) == 6


async def test_a_guard_is_saved_by_field_and_its_figures_have_bounds(database: str) -> None:
    await a_world(database)
    saved = await instruments.update_instrument(ADMIN, "EURUSD", {"guard": {"move_pct": Decimal(3)}})
    assert [(one.field, one.before, one.after) for one in saved.changes] == [("guard.movePct", "0", "3")]
    await instruments.update_instrument(ADMIN, "EURUSD", {"guard": None})
    assert await value("select guard_move_pct from instruments where symbol = 'EURUSD'") == 5, "that of the kind"
    await instruments.update_instrument(ADMIN, "USDJPY", {
        "base_currency": "USD", "quote_currency": "JPY", "price_precision": 3, "quantity_step": Decimal(1),
        "quantity_min": Decimal(1),
    })  # fmt: skip
    assert await value("select guard_mode from instruments where symbol = 'USDJPY'") == "WARN"
    for name, wrong in {"move_pct": -1, "move_seconds": 0, "spread_pct": 201, "frozen_seconds": 86_401}.items():
        with pytest.raises(InvalidInput, match="guard"):
            await instruments.update_instrument(ADMIN, "EURUSD", {"guard": {name: Decimal(wrong)}})
