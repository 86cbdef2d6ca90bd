"""A served desk with a worker: from quotes handed in to the breach on a websocket, and what handing in costs."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any

from cli.client import Client
from cli.listener import Event, Listener
from cli.up import healthy
from config.database import connection
from domain.money import plain
from domain.quotes import Quote
from services import quotes, tokens
from services.columnar import passes
from tools.bench.population import BASE, FIRST, Population
from tools.ports import free_port

STEP = Decimal("0.0002")  # of the price, by which it falls each time
QUOTES = 1_000
EVENT_SECONDS_MAX = 120.0
PAUSE_SECONDS = 0.1
INGEST = """
mutation ($input: IngestQuotesInput!) {
  ingestQuotes(input: $input) { accepted newestBatch userErrors { code message } }
}
"""
# The n-th holds so much that the n-th step breaks its daily limit, which is 5 % of 100,000.
VICTIMS = """
insert into positions (account_id, seq, symbol, side, status, quantity, cost_basis, opened_at)
select $1::bigint + 10 * n, 50, $2, 'LONG', 'OPEN', q, q * $3::numeric, now()
from generate_series(1, $4::bigint) n cross join lateral (select round(5050 / ($3 * $5::numeric * n), 2) as q) s
"""
INSERT = """
insert into quotes (batch, symbol, bid, ask, source_time)
select * from unnest($1::bigint[], $2::text[], $3::numeric[], $4::numeric[], $5::timestamptz[])
"""
MARKED = "select min(through) >= (select max(number) from batches) from shards"


@asynccontextmanager
async def process(command: str, url: str, port: int) -> AsyncIterator[None]:
    """Run `propdesk <command>` as a child process on the same database."""
    environment = os.environ | {"DATABASE_URL": url, "PROPDESK_PORT": str(port), "PROPDESK_LOG_LEVEL": "ERROR",
                                "PROPDESK_SAMPLE_DATA": "false", "PROPDESK_MARK_PERSIST_SECONDS": "5"}  # fmt: skip
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "cli.main", command, env=environment)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            child.kill()  # which it has to bear, and nothing is waited for
        await child.wait()


@asynccontextmanager
async def served_desk(url: str) -> AsyncIterator[str]:
    """The API over the database; answers the address of its endpoint."""
    port = free_port()
    async with process("serve", url, port):
        await healthy(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}/graphql"


def rows_of(quotes: list[Quote]) -> list[dict[str, str]]:
    return [
        {"symbol": q.symbol, "bid": plain(q.bid), "ask": plain(q.ask), "time": q.source_time.isoformat()}
        for q in quotes
    ]


async def seconds_of_ingesting(
    url: str, address: str, population: Population, rounds: int
) -> tuple[list[float], list[float]]:
    """QUOTES quotes through the API, and the bare insert of as many rows, by turns."""
    taken, bare = [], []
    token = await tokens.create_token(role="FEED", brand=None, name="bench feed")
    async with connection(url) as conn, Client(address, token) as client:
        for number in range(rounds + 1):  # the first warms up
            offered: list[Quote] = []
            while len(offered) < QUOTES:
                offered += population.quotes(STEP * (number % 7 + len(offered) % 2), len(population.symbols))
            offered = offered[:QUOTES]
            sent = rows_of(offered)
            began = time.perf_counter()
            await client.once(INGEST, input={"quotes": sent})
            taken.append(time.perf_counter() - began)
            bare.append(await _seconds_of_inserting(conn, -1 - number, offered))
    return taken[1:], bare[1:]


async def _seconds_of_inserting(conn: Any, batch: int, quotes: list[Quote]) -> float:
    figures = [[q.bid for q in quotes], [q.ask for q in quotes], [q.source_time for q in quotes]]
    columns = [[batch] * len(quotes), [f"X{n}" for n in range(len(quotes))], *figures]
    began = time.perf_counter()
    await conn.execute(INSERT, *columns)
    return time.perf_counter() - began


async def seconds_to_breach(url: str, address: str, population: Population, rounds: int) -> list[float]:
    """Measure the time from the response to quotes that break a limit until a subscriber has the event."""
    await quotes.ingest(population.quotes(Decimal(0)))  # at which the victims neither gain nor lose
    await passes.mark_shard(0)
    async with connection(url) as conn:
        await conn.execute("update balances set marked_through = (select max(number) from batches) where live")
        await conn.execute(VICTIMS, FIRST + 5, population.symbols[0], BASE, rounds, STEP)
    feed = await tokens.create_token(role="FEED", brand=None, name="bench feed")
    manager = await tokens.create_token(role="MANAGER", brand="bench", name="bench")
    told, taken = asyncio.Queue[tuple[int, float]](), []

    def hear(event: Event) -> None:
        if event["name"] == "prop.challenge.failed":
            told.put_nowait((int(event["challengeId"]), time.perf_counter()))

    listener = Listener(address, manager, hear)
    async with process("work", url, free_port()), Client(address, feed) as client:
        listening = asyncio.create_task(listener.run())
        await client.once(INGEST, input={"quotes": rows_of(population.quotes(Decimal(0)))})
        await _until_marked(url)
        for number in range(1, rounds + 1):
            fallen = population.quotes(-STEP * number)
            await client.once(INGEST, input={"quotes": rows_of(fallen)})
            began = time.perf_counter()
            failed, heard = await asyncio.wait_for(told.get(), EVENT_SECONDS_MAX)
            assert failed == FIRST + 5 + 10 * number, "each step breaks the next one's limit"
            taken.append(heard - began)
            await asyncio.sleep(PAUSE_SECONDS)
        listening.cancel()
    return taken


async def _until_marked(url: str) -> None:
    """Wait until the worker has loaded its shard and judged the newest batch."""
    async with connection(url) as conn, asyncio.timeout(EVENT_SECONDS_MAX):
        while not await conn.fetchval(MARKED):  # noqa: ASYNC110 - the database says when
            await asyncio.sleep(PAUSE_SECONDS)
