"""`propdesk replay`: recorded quotes, handed to a running desk in lock-step."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli import quotefile
from cli.client import Client
from cli.lockstep import Ingested, LockStep
from config.errors import Problem

PATIENCE_SECONDS = 120  # for a server that restarts


@dataclass(slots=True)
class Tally:
    """What became of the file so far."""

    rows: int = 0
    times: int = 0
    accepted: int = 0
    unanswered: int = 0  # times whose answer was lost with the server
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)  # by (symbol, reason)
    market_time: datetime | None = None
    began: float = field(default_factory=monotonic)

    def add(self, batch: quotefile.FileBatch, ingested: Ingested) -> None:
        self.rows += len(batch.rows)
        self.times += 1
        self.accepted += ingested.accepted
        self.unanswered += not ingested.answered
        self.dropped.update(ingested.dropped)
        self.market_time = batch.time

    @property
    def rate(self) -> str:
        seconds = max(monotonic() - self.began, 1e-9)
        return f"{self.rows / seconds:,.0f} rows/s, {self.times / seconds:,.0f} batches/s"


def replay(
    file: Annotated[Path, typer.Argument(help="CSV or .csv.gz with the header ts_utc_ms,symbol,bid,ask.")],
    url: Annotated[str, typer.Option(help="The desk's GraphQL address.")] = "http://127.0.0.1:8000/graphql",
    token: Annotated[str | None, typer.Option(envvar="PROPDESK_TOKEN", help="An ADMIN token.")] = None,
) -> None:
    """Hand recorded quotes to a running desk, each time once the one before is judged."""
    if not token:
        raise Problem("a token is needed: --token or PROPDESK_TOKEN, of the role ADMIN")
    tally = Tally()
    try:
        asyncio.run(play(file, Client(url, token, patience_seconds=PATIENCE_SECONDS), tally))
    except KeyboardInterrupt:
        raise Problem(f"stopped after {tally.rows:,} rows; the batch in flight may have been taken") from None
    finally:
        tell(tally)


async def play(file: Path, client: Client, tally: Tally) -> None:
    """Replay the file, keeping `tally`. Raises Problem for a file or a server that cannot be used."""
    total = quotefile.count_rows(file) or None
    async with client:
        system = await client.once("query { system { mode } }")  # not patient: a wrong address is told at once
        if system["mode"] != "REPLAY":
            Console(stderr=True).print("note: this desk keeps the system's time; the quotes' times are only recorded")
        with _progress() as progress:
            bar = progress.add_task("replay", total=total, rate="", market="")
            tally.began = monotonic()
            step = LockStep(client)
            for batch in quotefile.batches(file):
                tally.add(batch, await step.feed(batch.rows))
                await step.wait()
                market = f"{batch.time:%Y-%m-%d %H:%M:%S}"
                progress.update(bar, completed=tally.rows, rate=tally.rate, market=market)


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
    """The end of a replay, also of one that broke off."""
    if not tally.times:
        return
    console = Console()
    console.print(
        f"{tally.rows:,} rows at {tally.times:,} times up to {tally.market_time:%Y-%m-%d %H:%M:%S} UTC: "
        f"{tally.accepted:,} accepted, {tally.dropped.total():,} dropped; {tally.rate}",
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
