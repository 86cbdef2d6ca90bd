"""The cost of a page, compared with the stock executor and with the bare fetch of its rows.

All in one process: everything a server does for a request between reading it and writing it, with all our own steps
(limits, permissions, visibility, spans, masking) and the answer as JSON at the end. The stock executor is
`strawberry.Schema` as it comes, on the same types, resolvers and statements, without any of our extensions.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import strawberry

from config.database import close_database, connection, migrate, open_database, pool
from models.views.metrics import METRICS
from resolvers.main import Mutation, Query, Subscription, schema
from schema.engine.json_writer import write_json
from schema.engine.request_context import Context
from tools.bench.harness import Figure, Server
from tools.bench.population import FIRST, MANAGER, populate

CHALLENGES, SNAPSHOTS = 50, 1_000  # rows of a page
WARM = 5  # to so many answers of a stretch comes one before them that does not count, and one more
TARGET_STOCK, TARGET_FETCH = 8, 3
PAGE = """query Page($first: Int!) { challenges(first: $first) { nodes {
  id brand client status currentPhaseIndex createdAt endedAt endReason terms { hash version }
  program { id name price status version }
} pageInfo { endCursor hasNextPage } } }"""
METRIC_PAGE = """query Metrics($id: ID!, $first: Int!) { challengeMetrics(challengeId: $id, first: $first) { nodes {
  marketTime batch accountId balance equity dayStartBalance dayStartEquity dayLow dayHigh peakEquity
} pageInfo { endCursor hasNextPage } } }"""
SNAPSHOT_ROWS = """
insert into metrics (challenge_id, phase_id, account_id, market_time, batch, balance, equity, day_start_balance,
  day_start_equity, day_low, day_high, peak_equity)
select c.id, c.id, c.account_id, now() - i * interval '1 minute', $2 - i, 100000 + i * 1.01, 100000 + i * 1.23456789,
  100000, 100010.5, 99000 + i * 0.33, 101000 + i * 0.55, 102000.12
from challenges c cross join generate_series(1, $2::bigint) i where c.id >= $1
"""
FETCH = f"""select {METRICS.columns} from metrics t where t.challenge_id = $1
order by t.phase_id desc, t.batch desc, t.market_time desc, t.recorded_at desc limit $2"""


@dataclass(frozen=True, slots=True)
class Way:
    """A schema that answers."""

    schema: strawberry.Schema

    async def answer(self, text: str, **variables: Any) -> bytes:
        """Return the body of the response to the document, without its cost."""
        context = Context(events=None, bearer=MANAGER)  # type: ignore[arg-type] # nothing is subscribed to
        result = await self.schema.execute(text, variable_values=variables, context_value=context)
        assert not result.errors, result.errors
        return b"".join(await write_json({"data": result.data}, context))


async def pages(server: Server, rounds: int, times: int) -> list[Figure]:
    """Return the two ratios, each of `rounds` medians of so many answers; an empty database is filled for it."""
    await migrate(server.url)
    await open_database(server.url, pool_size=4, name="bench")
    try:
        await populate(server.url, CHALLENGES + 10, 10)
        async with connection(server.url) as conn:
            await conn.execute(SNAPSHOT_ROWS, FIRST, SNAPSHOTS + 100)
            await conn.execute("vacuum analyze metrics")
        return await _measure(rounds, times)
    finally:
        await close_database()


async def _measure(rounds: int, times: int) -> list[Figure]:
    ours = Way(schema)
    stock = Way(strawberry.Schema(query=Query, mutation=Mutation, subscription=Subscription, config=schema.config))
    same = [await way.answer(PAGE, first=CHALLENGES) for way in (ours, stock)]
    assert same[0] == same[1], "both answer the same"
    page_, stock_page = await _beside(
        lambda: ours.answer(PAGE, first=CHALLENGES), lambda: stock.answer(PAGE, first=CHALLENGES), rounds, times
    )
    metrics, fetch = await _beside(
        lambda: ours.answer(METRIC_PAGE, id=str(FIRST), first=SNAPSHOTS), _fetched, rounds, times
    )
    return [
        Figure(
            f"answers/s, a page of {CHALLENGES} challenges with 15 fields from PostgreSQL",
            "the stock executor",
            tuple(b / a for a, b in zip(page_, stock_page, strict=True)),
            TARGET_STOCK,
            said=f"{median(page_) * 1000:.2f} : {median(stock_page) * 1000:.2f} ms",
        ),
        Figure(
            f"the newest {SNAPSHOTS:,} metrics of a challenge",
            "their rows' bare fetch",
            tuple(a / b for a, b in zip(metrics, fetch, strict=True)),
            TARGET_FETCH,
            at_most=True,
            said=f"{median(metrics) * 1000:.1f} : {median(fetch) * 1000:.1f} ms",
        ),
    ]


async def _fetched() -> None:
    """Return the rows themselves, by the statement that the view uses."""
    async with pool().acquire() as conn:
        await conn.fetch(FETCH, FIRST, SNAPSHOTS)


async def _beside(
    ours: Callable[[], Awaitable[object]], theirs: Callable[[], Awaitable[object]], rounds: int, times: int
) -> tuple[list[float], list[float]]:
    """Seconds of each: of every round the median of a stretch of answers.

    Of each in a stretch of its own, as a process answers that has only this way: in turn, each would find the
    processor's caches full of the other's.
    """
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for one, medians in zip((ours, theirs), taken, strict=True):
            seconds, warm = [], 1 + times // WARM
            for _ in range(warm + times):
                began = time.perf_counter()
                await one()
                seconds.append(time.perf_counter() - began)
            medians.append(median(seconds[warm:]))
    return taken
