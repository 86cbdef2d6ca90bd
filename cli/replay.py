"""`propdesk replay`: send recorded quotes to a running desk in lock-step."""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.client import Client
from cli.lockstep import Ingested, LockStep
from cli.quotefile import FileBatch, Options, QuoteFiles
from cli.quotefile.layouts import LAYOUTS
from config.errors import Problem
from config.settings import load_settings
from domain.calendar import zone_warning

PATIENCE_SECONDS = 120  # the longest wait for a server that restarts
LISTED_PAGE = 100

_DESK = "query { system { mode marketTime } }"
_LISTED = """
query ($first: Int!, $after: String) {
  instruments(first: $first, after: $after) { nodes { symbol aliases } pageInfo { hasNextPage endCursor } }
}
"""


@dataclass(slots=True)
class Tally:
    """Progress and results of the replay so far."""

    quotes: int = 0
    times: int = 0
    accepted: int = 0
    passed_over: int = 0  # quotes skipped by --resume: not after the desk's market time
    rounded: int = 0  # accepted quotes whose floating-point noise was rounded away
    unanswered: int = 0  # batches whose response was lost when the server failed
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)  # by (symbol, reason)
    market_time: datetime | None = None
    began: float = field(default_factory=monotonic)

    def add(self, batch: FileBatch, ingested: Ingested) -> None:
        self.quotes += len(batch.rows)
        self.times += 1
        self.accepted += ingested.accepted
        self.rounded += ingested.rounded
        self.unanswered += not ingested.answered
        self.dropped.update(ingested.dropped)
        self.market_time = batch.time

    @property
    def rate(self) -> str:
        seconds = max(monotonic() - self.began, 1e-9)
        return f"{self.quotes / seconds:,.0f} quotes/s, {self.times / seconds:,.0f} batches/s"


def replay(
    files: Annotated[
        list[Path], typer.Argument(help="Quote files, plain or packed (zip, gz, bz2, xz, zst); merged by time.")
    ],
    url: Annotated[
        str | None, typer.Option(help="The desk's GraphQL URL; default: from PROPDESK_HOST and PROPDESK_PORT.")
    ] = None,
    token: Annotated[str | None, typer.Option(envvar="PROPDESK_TOKEN", help="An ADMIN token.")] = None,
    layout: Annotated[
        str | None,
        typer.Option(help=f"The files' layout, where it is not recognised: {', '.join(one.name for one in LAYOUTS)}."),
    ] = None,
    symbol: Annotated[str | None, typer.Option(help="The symbol for files without a symbol column.")] = None,
    zone: Annotated[
        str | None, typer.Option(help="The time zone for times without one: Europe/Berlin, GMT+3, America/New_York+7.")
    ] = None,
    spread: Annotated[
        str | None, typer.Option(help="The spread between bid and ask, in price units, for files with a single price.")
    ] = None,
    dates: Annotated[str | None, typer.Option(help="The order in ambiguous dates: day-first or month-first.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted replay after the desk's market time.")
    ] = False,
) -> None:
    """Send recorded quotes to a running desk; each batch waits until the one before is judged."""
    if not token:
        raise Problem("a token is needed: --token or PROPDESK_TOKEN, of the role ADMIN")
    options = Options(layout, symbol, zone, _spread(spread), dates)
    tally = Tally()
    try:
        client = Client(url or f"{load_settings().base_url}/graphql", token, patience_seconds=PATIENCE_SECONDS)
        asyncio.run(play(files, options, client, tally, resume=resume))
    except KeyboardInterrupt:
        raise Problem(f"stopped after {tally.quotes:,} quotes; the batch in flight may have been taken") from None
    finally:
        tell(tally)
    if not tally.accepted:
        if not tally.quotes and tally.passed_over:
            raise Problem(f"nothing to hand in: all {tally.passed_over:,} quotes are up to the desk's market time")
        passed_over = f"; {tally.passed_over:,} are not after the desk's market time" if tally.passed_over else ""
        raise Problem(f"none of the {tally.quotes:,} quotes handed in was accepted{passed_over}")


def _spread(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        raise Problem(f"--spread {text}: it is no number") from None


async def play(files: Sequence[Path], options: Options, client: Client, tally: Tally, *, resume: bool = False) -> None:
    """Replay the files and update `tally`. Raises Problem if a file or the server cannot be used."""
    async with client:
        system = await client.once(_DESK)  # no retry: report a wrong address at once
        print(f"desk: {client.shown}", file=sys.stderr, flush=True)
        read = _understood(files, options.on_desk(await _listed(client)))
        reached = _reached(read, system["mode"], system["marketTime"], resume=resume)
        with _progress() as progress:
            bar = progress.add_task("replay", total=read.quotes, rate="", market="")
            tally.began = monotonic()
            step = LockStep(client)
            for batch in read.batches():
                if reached and batch.time <= reached:
                    tally.passed_over += len(batch.rows)
                    continue
                tally.add(batch, await step.feed(batch.rows))
                await step.wait()
                market = f"{batch.time:%Y-%m-%d %H:%M:%S}"
                progress.update(bar, completed=tally.passed_over + tally.quotes, rate=tally.rate, market=market)


async def _listed(client: Client) -> frozenset[str]:
    """Return every symbol of the desk and every alias."""
    symbols: set[str] = set()
    after = None
    while True:
        page = await client.once(_LISTED, first=LISTED_PAGE, after=after)
        symbols |= {name for node in page["nodes"] for name in (node["symbol"], *node["aliases"])}
        if not page["pageInfo"]["hasNextPage"]:
            return frozenset(symbols)
        after = page["pageInfo"]["endCursor"]


def _understood(files: Sequence[Path], options: Options) -> QuoteFiles:
    """Read the files completely, print the layout recognised in each, and return them."""
    console = Console()
    Console(stderr=True).print(f"reading {', '.join(map(str, files))} ...", highlight=False, soft_wrap=True)
    if options.zone and (warning := zone_warning(options.zone)):
        Console(stderr=True).print(f"note: {warning}", highlight=False, soft_wrap=True)
    read = QuoteFiles(files, options)
    for table in read.tables:
        console.print(table.text(), highlight=False, markup=False, soft_wrap=True)
    strange = sorted({symbol for table in read.tables for symbol in table.symbols.values()} - options.listed)
    if strange and all(options.listed.isdisjoint(table.symbols.values()) for table in read.tables):
        raise Problem(
            f"this desk lists none of the symbols in the files ({', '.join(strange[:10])}): save an instrument or an "
            "alias of one, or say --symbol for files without a column of symbols"
        )
    if strange:
        Console(stderr=True).print(f"note: not on this desk, so dropped: {', '.join(strange[:10])}", soft_wrap=True)
    if len(read.tables) > 1:
        console.print(f"{len(read.tables)} files merged by time: {read.quotes:,} quotes", highlight=False)
    return read


def _reached(read: QuoteFiles, mode: str, market_time: str | None, *, resume: bool) -> datetime | None:
    """Return the time up to which to skip quotes. Raises Problem if the files start before the replay's clock."""
    if mode != "REPLAY":
        Console(stderr=True).print("note: this desk keeps the system's time; the quotes' times are only recorded")
        return None
    reached = None if market_time is None else datetime.fromisoformat(market_time)
    if reached and not resume and read.first < reached:
        raise Problem(
            f"the files begin at {read.first:%Y-%m-%d %H:%M:%S} UTC, and this desk's market is already at "
            f"{reached:%Y-%m-%d %H:%M:%S} and never goes back; go on after that with --resume, or replay them on a new "
            "desk (propdesk up --replay with another PROPDESK_DATA_DIR)"
        )
    return reached if resume else None


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.fields[market]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def tell(tally: Tally) -> None:
    """Print the result of a replay, complete or interrupted."""
    if not tally.times:
        return
    console = Console()
    rounded = f" ({tally.rounded:,} without the noise of floats)" if tally.rounded else ""
    console.print(
        f"{tally.quotes:,} quotes at {tally.times:,} times up to {tally.market_time:%Y-%m-%d %H:%M:%S} UTC: "
        f"{tally.accepted:,} accepted{rounded}, {tally.dropped.total():,} dropped; {tally.rate}",
        highlight=False,
        soft_wrap=True,
    )
    if tally.unanswered:
        console.print(
            f"the answers of {tally.unanswered:,} times were lost with the server: counted as accepted", soft_wrap=True
        )
    if tally.dropped:
        table = Table("symbol", "reason", "count")
        for (symbol, reason), count in sorted(tally.dropped.items()):
            table.add_row(symbol, reason, f"{count:,}")
        console.print(table)
