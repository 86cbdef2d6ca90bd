"""Concurrent requests against one account: no limit is exceeded, and nothing committed is lost."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.orders import Action
from models.columnar import marks as stored
from services import actions, marking, quotes
from services.columnar.passes import Marker
from services.unit_of_work.openings import transaction
from tests.services.world import (
    TRADER,
    World,
    a_quote,
    a_world,
    act,
    an_action,
    books_hold,
    elsewhere,
    rows,
    settle,
    value,
)

POSITIONS, ORDERS = 5, 10  # the default policy's
OPEN = "select count(*) from positions where status = 'OPEN'"
WORKING = "select count(*) from orders where status = 'WORKING'"


async def _quote_all(world: World, mid: str) -> None:
    world.at += timedelta(seconds=10)
    await quotes.ingest([a_quote(symbol, mid, world.at) for symbol in world.symbols])


async def _at_once(account: int, proposed: Sequence[Action]) -> Counter[str]:
    answers = await asyncio.gather(*(actions.submit(TRADER, account, "r1", [action]) for action in proposed))
    return Counter(answer[0].refusal.code if answer[0].refusal else answer[0].status.value for answer in answers)


async def test_proposals_of_every_kind_at_once_stay_within_positions_and_orders(database: str) -> None:
    """Forty that would rest, then twenty that deal; a quote that triggers all that rest finds room for one."""
    world = await a_world(database, symbols=20)
    _, account = await world.buy()
    resting = [
        an_action(action_id=f"{order}{n}", symbol=symbol, side="SHORT", order=order, price=price)
        for n, symbol in enumerate(world.symbols)
        for order, price in (("LIMIT", "1.2"), ("STOP", "1.0"))
    ]
    assert await _at_once(account, resting) == {"WORKING": ORDERS, "ORDERS_MAX": 40 - ORDERS}
    dealing = [an_action(action_id=f"m{n}", symbol=symbol) for n, symbol in enumerate(world.symbols)]
    assert await _at_once(account, dealing) == {"EXECUTED": POSITIONS, "POSITIONS_MAX": 20 - POSITIONS}
    assert (await value(OPEN), await value(WORKING)) == (POSITIONS, ORDERS)

    held = await value("select symbol from positions where status = 'OPEN' limit 1")
    await act(account, "CLOSE", action_id="room", symbol=held)
    for mid in ("1.2", "1.0"):
        await _quote_all(world, mid)
    await settle()
    assert (await value(OPEN), await value(WORKING)) == (POSITIONS, 0)
    ended = "select outcome ->> 'code' as code, count(*) as many from orders where type <> 'MARKET' group by 1"
    codes = {row["code"]: row["many"] for row in await rows(ended)}
    assert codes.pop(None) == 1, "there was room for one"
    assert codes.keys() <= {"POSITIONS_MAX", "POSITION_EXISTS"}, "and none on its symbol, or anywhere"
    assert sum(codes.values()) == ORDERS - 1
    await books_hold()


def meet(monkeypatch: pytest.MonkeyPatch, name: str, happens: Callable[[], Awaitable[Any]], *, after: bool) -> None:
    """Let two markers wait for each other at their first statement of that name, and then something happen elsewhere:
    after both have had their answer, or before either is asked.
    """
    statement, arrived, go = getattr(stored, name), list[int](), asyncio.Event()

    async def met() -> None:
        arrived.append(1)
        if len(arrived) == 2:
            await elsewhere(happens())  # type: ignore[arg-type]
            go.set()
        async with asyncio.timeout(20):
            await go.wait()

    async def together(*args: Any) -> Any:
        if not after:
            await met()
        found = await statement(*args)
        if after:
            await met()
        return found

    monkeypatch.setattr(stored, name, together)


async def test_two_markers_lose_neither_each_others_marks_nor_an_action_between(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One account closes when both have read its version, another buys when both are about to write, a third rests."""
    world = await a_world(database, cash=5_000)
    closes, buys, rests = [(await world.buy(f"k{n}"))[1] for n in range(3)]
    for account in (closes, buys, rests):
        await act(account, "OPEN", action_id="a1", quantity="100000")
    both = Marker(0), Marker(0)
    for marker in both:
        await marker.drain()

    async def close_and_quote() -> None:
        await act(closes, "CLOSE", action_id="a2")
        await _quote_all(world, "1.101")
        async with transaction():  # some task of this process learns of it, so that both go on to it
            pass

    meet(monkeypatch, "touched_accounts", close_and_quote, after=True)
    meet(monkeypatch, "write_marks", lambda: act(buys, "INCREASE", action_id="a2", quantity="100000"), after=False)
    await asyncio.gather(*(marker.drain() for marker in both))
    found = await rows("select account_id, trim_scale(equity) as equity, trim_scale(unrealised) as open from balances")
    assert {row["account_id"]: (row["equity"], row["open"]) for row in found} == {
        closes: (100_000 - 110 - 110, 0),
        buys: (100_000 - 110 + 100 - Decimal("110.1"), 100),
        rests: (100_000 - 110 + 100, 100),
    }
    assert await value("select min(marked_through) from balances b join positions p using (account_id)"
                       " where p.status = 'OPEN'") == 2  # fmt: skip
    await books_hold()


async def test_markers_actions_and_quotes_all_at_once_lose_nothing(database: str) -> None:
    """What was answered EXECUTED is in the positions, every one of them, and every account has seen every quote."""
    world = await a_world(database, cash=10_000)
    accounts = [(await world.buy(f"k{n}"))[1] for n in range(5)]
    markers = Marker(0), Marker(0)
    bought = dict.fromkeys(accounts, Decimal(0))

    async def trade(account: int, place: int) -> None:
        verb = "OPEN" if place == 0 else ("INCREASE", "INCREASE", "REDUCE")[place % 3]
        answer = await act(account, verb, action_id=f"a{place}", quantity=f"{place + 2}000")
        assert answer.fill, answer.refusal
        bought[account] += answer.fill.quantity if verb != "REDUCE" else -answer.fill.quantity

    for place in range(8):
        crowd = [trade(account, place) for account in accounts]
        await asyncio.gather(
            *crowd[:3], markers[0].drain(), _quote_all(world, f"1.10{place}1"), markers[1].drain(), *crowd[3:]
        )
    await asyncio.gather(*(marker.drain() for marker in markers))
    held = await rows("select account_id, trim_scale(quantity) as quantity from positions order by 1")
    assert {row["account_id"]: row["quantity"] for row in held} == bought
    assert await value("select min(marked_through) = (select max(number) from batches) from balances where live")
    assert await marking.mark_all() == marking.Marked(accounts=5, failed=0)
    await books_hold()
