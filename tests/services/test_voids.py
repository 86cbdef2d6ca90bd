"""Quotes are declared void: they stay, nothing changes by itself, and whoever failed by them is listed."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.errors import Forbidden, InvalidInput, NotFound
from domain.instruments import Instrument
from domain.voids import Span
from services import instruments, quotes, voids
from services.principals import Principal
from services.views import lists
from services.views.lists import CHALLENGES, PageRequest
from tests.services.bad_prints import STRANGER, a_victim, bad_print, reinstate, void
from tests.services.winners import FREE
from tests.services.world import (
    ADMIN,
    MANAGER,
    START,
    a_quote,
    a_world,
    act,
    books_hold,
    rows,
    totals,
    value,
)

FIRST = PageRequest(20)


async def hit(span: Span, by: Principal = MANAGER, window: PageRequest = FIRST) -> list[int]:
    page = await lists.list_page(by, CHALLENGES, await voids.hits(span), window)
    return [row["id"] for row in page.rows]


async def test_a_void_changes_nothing_but_what_it_says(database: str) -> None:
    _, _, _, span, _ = await a_victim(database)
    before, tape = await totals(), await rows("select * from quotes order by batch, symbol")
    void_id = await void(span)
    after = await totals()
    assert {name for name in after if after[name] != before[name]} <= {"quote_voids", "audit", "audit_heads"}
    assert await rows("select * from quotes order by batch, symbol") == tape
    [row] = await rows("select * from quote_voids")
    assert (row["id"], row["quotes"], row["first_batch"]) == (void_id, 1, row["last_batch"])
    assert (row["reason"], row["actor"]) == ("a bad print", "admin:root")
    await books_hold()


async def test_the_same_span_is_void_once(database: str) -> None:
    _, _, _, span, _ = await a_victim(database)
    answers = await asyncio.gather(*(void(span) for _ in range(5)))
    assert set(answers) == {await value("select id from quote_voids")}
    assert await value("select count(*) from quote_voids") == 1
    assert await value("select count(*) from audit where operation = 'voidQuotes'") == 1


async def test_only_an_admin_declares_quotes_void_and_only_past_ones(database: str) -> None:
    world, _, _, span, _ = await a_victim(database)
    since, before = span.source_from, span.source_before
    with pytest.raises(Forbidden):
        await voids.void_quotes(MANAGER, "EURUSD", since, before, "why")
    with pytest.raises(NotFound):
        await voids.void_quotes(ADMIN, "NOSUCH", since, before, "why")
    for wrong in (
        (since, before, ""),
        (before, since, "backwards"),
        (since, since, "empty"),
        (since, world.at + timedelta(days=1), "in the future"),
        (START - timedelta(days=9), START - timedelta(days=8), "without a quote"),
    ):
        with pytest.raises(InvalidInput):
            await voids.void_quotes(ADMIN, "EURUSD", *wrong)
    assert await value("select count(*) from quote_voids") == 0


async def test_who_failed_while_the_quotes_stood_is_listed_before_and_after(database: str) -> None:
    world, challenge, _, span, _ = await a_victim(database, cash=20_000)
    await world.buy("k2")  # idle
    late, account = await world.buy("k3")
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.09")  # fails later, by good quotes
    assert await hit(span) == [challenge]
    assert await hit(span, ADMIN) == [challenge]
    assert await hit(span, STRANGER) == []
    assert await hit(replace(span, symbol="GBPUSD")) == []
    assert await hit(Span("EURUSD", span.source_before, world.at)) == [late]
    await void(span)
    await reinstate(challenge)
    assert await hit(span) == [challenge], "it was hit, and stays on the list"


async def test_who_was_converted_by_the_quotes_is_listed_too(database: str) -> None:
    """A position in another instrument, whose profit the bad quote converted."""
    world = await a_world(database, policy=FREE)
    await instruments.save_instrument(ADMIN, Instrument("EURGBP", "EUR", "GBP", 5, Decimal(1), Decimal(1000)))
    world.at += timedelta(minutes=1)
    await quotes.ingest([a_quote("GBPUSD", "1.3", world.at), a_quote("EURGBP", "0.85", world.at)])
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", symbol="EURGBP", quantity="1000000")
    await world.quote("0.849", symbol="EURGBP")
    span = await bad_print(world, "13", symbol="GBPUSD")
    assert await value("select status from challenges where id = $1", challenge) == 3
    assert await hit(span) == [challenge]
    await void(span)
    await reinstate(challenge)
    assert await value("select status from challenges where id = $1", challenge) == 1
    await books_hold()
