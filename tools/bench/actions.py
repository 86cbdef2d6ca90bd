"""`propdesk bench actions`: the cost of an action, and of reads next to a long history."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from config.database import close_database, create_database, migrate, open_database
from config.embedded import BINARIES, DATABASE
from config.errors import Problem
from config.logs import configure_logging
from services.unit_of_work.reads import read_connection
from tools.bench import harness, reads, traders
from tools.bench.beside import marking
from tools.bench.harness import Figure, Server, Steps
from tools.bench.population import FIRST, Population, populate
from tools.bench.traders import Trader, hire, latencies, quantile, throughput

CLIENTS = 8
BATCH = 32
SCRIPT = "action.sql"
TABLES = ("ledger", "decision_actions", "orders", "fills", "positions", "balances", "days", "metrics", "outbox", "jobs")
# In whichever way a row was written: inserted or updated by the transaction that wrote the account's last ledger row.
WRITTEN = """
select count(*) from {table} t
where t.xmin = (select xmin from ledger where account_id = $1 order by seq desc limit 1)
"""


@dataclass(frozen=True, slots=True)
class ActionsSize:
    """The size of the bench."""

    rounds: int
    seconds: float  # of each measurement
    waiting: int  # single actions at once
    marked: int  # accounts of the marking pass beside
    rows: tuple[int, int]  # of a short and of a long ledger
    reads: int  # of each kind in a round, beside each ledger


FULL = ActionsSize(rounds=9, seconds=3, waiting=32, marked=20_000, rows=(10_000, 1_000_000), reads=50)
TINY = ActionsSize(rounds=1, seconds=0.2, waiting=CLIENTS, marked=10, rows=(400, 4_000), reads=5)


def actions(
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file, too")] = None,
    tiny: Annotated[bool, typer.Option(help="A small run that shows that it works; its figures mean nothing")] = False,
) -> None:
    """Decision actions against pgbench writing the same rows; their latency; reads beside a long history."""
    configure_logging("ERROR", "bench")
    with harness.server() as server, harness.steps() as steps:
        before = harness.machine()
        figures, facts = harness.run(_measure(server, steps, TINY if tiny else FULL))
    harness.show_figures("Decision actions" + (" (a tiny run: the figures mean nothing)" if tiny else ""), figures)
    if json_path:
        harness.write(
            json_path, "actions", figures, facts | {"machine": before, "load_after": harness.machine()["load"]}
        )


async def _measure(server: Server, steps: Steps, size: ActionsSize) -> tuple[list[Figure], dict[str, Any]]:
    await migrate(server.url)
    await open_database(server.url, pool_size=10, name="bench")
    try:
        with steps.step(f"a desk of {size.marked:,} accounts, and {size.waiting + CLIENTS} that trade"):
            population = await populate(server.url, size.marked, 50)
            hired = await hire(population, size.waiting + CLIENTS)
        trading, written_to = hired[: size.waiting], hired[size.waiting :]
        for trader in hired:
            await trader.submit(1)  # opens the position that pgbench adds to
        rows = await _same_rows(server, written_to)
        rates = [await _rates(server, steps, size, trading, written_to, number) for number in range(size.rounds)]
        figures = _throughput(rates, size.waiting)
        half = median(rate["single"] for rate in rates) / 2
        figures.append(await _latency(steps, size, trading, half, "alone"))
        with marking(server.url, population):
            beside = f"beside passes over {size.marked:,} accounts"
            figures.append(await _latency(steps, size, trading, half, beside))
    finally:
        await close_database()
    figures += await _reads(server, steps, size, population, trading[0].account)
    return figures, {"rows of one action": rows, "per second": rates}


async def _rates(
    server: Server,
    steps: Steps,
    size: ActionsSize,
    trading: Sequence[Trader],
    written_to: Sequence[Trader],
    number: int,
) -> dict[str, float]:
    """Actions a second of pgbench, of batches and of single actions, one after the other."""
    with steps.step(f"round {number + 1}: pgbench with {CLIENTS} clients"):
        reference = await _pgbench(server, written_to, clients=CLIENTS, seconds=size.seconds)
    with steps.step(f"round {number + 1}: batches of {BATCH} on {CLIENTS} accounts"):
        await throughput(trading[:CLIENTS], BATCH, size.seconds / 8)
        batches = await throughput(trading[:CLIENTS], BATCH, size.seconds)
    with steps.step(f"round {number + 1}: single actions, {size.waiting} waiting"):
        await throughput(trading, 1, size.seconds / 8)
        single = await throughput(trading, 1, size.seconds)
    return {"pgbench": reference, "batch": batches, "single": single}


def _throughput(rates: Sequence[dict[str, float]], waiting: int) -> list[Figure]:
    goals = {
        "batch": (f"batches of {BATCH} on {CLIENTS} accounts at once, one process", 1.5),
        "single": (f"single actions, {waiting} waiting", 0.5),
    }
    return [
        Figure(
            name,
            f"pgbench, {CLIENTS} clients, the same rows",
            tuple(rate[key] / rate["pgbench"] for rate in rates),
            target,
            said=" : ".join(f"{median(rate[one] for rate in rates):,.0f}" for one in (key, "pgbench")) + " actions/s",
        )
        for key, (name, target) in goals.items()
    ]


async def _latency(steps: Steps, size: ActionsSize, trading: Sequence[Trader], rate: float, name: str) -> Figure:
    highs, middles = [], []
    for number in range(size.rounds):
        with steps.step(f"round {number + 1}: latency at {rate:,.0f} actions/s, {name}"):
            await latencies(trading, rate, size.seconds / 8)
            taken = await latencies(trading, rate, size.seconds)
        middles.append(quantile(taken, 0.5))
        highs.append(quantile(taken, 0.99))
    return Figure(
        f"p99 of single actions at {rate:,.0f}/s, {name}",
        "their p50",
        tuple(high / middle for high, middle in zip(highs, middles, strict=True)),
        5,
        at_most=True,
        said=f"{median(highs) * 1000:.1f} : {median(middles) * 1000:.1f} ms",
    )


async def _reads(server: Server, steps: Steps, size: ActionsSize, population: Population, account: int) -> list[Figure]:
    """Each read of an account on three desks in turn: its ledger short, beside it a long table, and itself long."""
    short, long = size.rows
    others = list(range(FIRST, FIRST + min(population.accounts, 200)))
    filled = {
        "short": [([account], short)],
        f"{long:,} ledger rows in the table": [([account], short), (others, long)],
        f"{long:,} of its own": [([account], long)],
    }
    urls = {}
    for number, (name, histories) in enumerate(filled.items()):
        with steps.step(f"a desk to read: {name}"):
            urls[name] = await create_database(server.url, f"desk_{number}", template=DATABASE)
            await reads.fill(urls[name], histories)
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in urls}
    for number in range(size.rounds):
        with steps.step(f"round {number + 1}: reads"):
            for name, url in urls.items():
                await open_database(url, pool_size=2, name="bench")
                try:
                    taken[name].append(await reads.take(account, size.reads))
                finally:
                    await close_database()
    alone = taken.pop("short")
    return [
        Figure(
            f"{read}: {name}",
            f"with {short:,}",
            tuple(one[read] / other[read] for one, other in zip(each, alone, strict=True)),
            1.5,
            at_most=True,
            said=f"{median(one[read] for one in each) * 1000:.2f} : {median(one[read] for one in alone) * 1000:.2f} ms",
        )
        for name, each in taken.items()
        for read in alone[0]
    ]


async def _same_rows(server: Server, written_to: Sequence[Trader]) -> dict[str, int]:
    """The rows that one executed action writes, table by table. Raises Problem where pgbench's script differs."""
    trader = written_to[0]
    trader.done = len(traders.CYCLE) + traders.SYMBOLS  # the plan's next is to add to the position
    await trader.submit(1)
    ours = await _written(trader.account)
    await _pgbench(server, [trader], clients=1, transactions=1)
    if (theirs := await _written(trader.account)) != ours:
        raise Problem(f"{SCRIPT} writes {theirs}, an action {ours}: bring the script up to date")
    return ours


async def _written(account: int) -> dict[str, int]:
    async with read_connection() as conn:
        counts = {table: await conn.fetchval(WRITTEN.format(table=table), account) for table in TABLES}
    return {table: many for table, many in counts.items() if many}


async def _pgbench(
    server: Server,
    written_to: Sequence[Trader],
    *,
    clients: int,
    seconds: float | None = None,
    transactions: int | None = None,
) -> float:
    """Transactions a second, each one action's rows, by clients on accounts of their own, as prepared statements."""
    opened = written_to[0].answers[0].fill
    assert opened, "the position is open"
    length = ["-t", str(transactions)] if seconds is None else ["-T", str(max(round(seconds), 1))]
    values = ["-D", f"first={written_to[0].account}", "-D", f"position={opened.position_seq}"]
    with as_file(files("tools.bench") / "sql" / SCRIPT) as script:
        process = await asyncio.create_subprocess_exec(
            str(BINARIES / "pgbench"), "--no-vacuum", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2)),
            *length, *values, "-f", str(script), *harness.database_of(server),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
    for line in out.decode().splitlines():
        if line.startswith("tps = "):
            return float(line.split()[2])
    raise Problem(f"pgbench failed: {err.decode().strip()[-500:]}")
