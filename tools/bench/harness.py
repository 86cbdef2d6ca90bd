"""Shared parts of the benches: a temporary PostgreSQL, and figures as a table and as JSON."""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from uvicorn.loops.auto import auto_loop_factory

from config import gc_tuning
from config.embedded import DATABASE, EmbeddedServer

Answer = TypeVar("Answer")

SHOWN_MAX = 5  # rounds of which each is shown
WIDTH = 200  # where no terminal says one: so that no name is broken

console = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Figure:
    """One ratio, measured so many times in one run, and what it has to reach (or, `at_most`, not to exceed)."""

    name: str
    against: str
    ratios: tuple[float, ...]
    target: float
    at_most: bool = False
    said: str = ""  # the measurements behind it, with their units

    @property
    def ratio(self) -> float:
        return median(self.ratios)

    @property
    def met(self) -> bool:
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


@dataclass(frozen=True, slots=True)
class Server:
    """A running PostgreSQL: the address of its one database, and the directory of its socket."""

    url: str
    socket: Path


@contextmanager
def server() -> Iterator[Server]:
    """A fresh PostgreSQL, as durable as the embedded one always is, in a directory that is removed with it."""
    with tempfile.TemporaryDirectory(prefix="propdesk-bench-") as directory:
        postgres = EmbeddedServer(Path(directory) / "data")
        url = postgres.start()
        print(f"database: an embedded PostgreSQL of its own in {directory}, which ends with it", file=sys.stderr)
        try:
            yield Server(url, postgres.pgdata)
        finally:
            postgres.stop()


class Steps:
    """Says what is being done, and how long each step took."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bar = progress.add_task("", total=None)

    @contextmanager
    def step(self, doing: str) -> Iterator[None]:
        self._progress.update(self._bar, description=doing)
        began = time.monotonic()
        yield
        self._progress.console.print(f"  {doing}: {time.monotonic() - began:.1f} s", highlight=False)


@contextmanager
def steps() -> Iterator[Steps]:
    """Progress on stderr."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Steps(progress)


def run(main: Coroutine[Any, Any, Answer]) -> Answer:
    """Run on the event loop that `propdesk serve` runs on, with its way of looking for garbage."""
    gc_tuning.settle()
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        return runner.run(main)


def machine() -> dict[str, Any]:
    """Return what the figures depend on besides the program: processors, and how busy others keep them."""
    return {"processors": os.cpu_count(), "load": [round(load, 2) for load in os.getloadavg()]}


def show_figures(title: str, figures: Sequence[Figure]) -> None:
    """Print each ratio, its target and whether it is met."""
    table = Table(title=title, title_justify="left")
    for heading in ("measured", "against", "ratio", "rounds", "target", "met"):
        table.add_column(heading, justify="right" if heading in ("ratio", "target") else "left")
    for figure in figures:
        table.add_row(
            f"{figure.name}\n[dim]{figure.said}[/]" if figure.said else figure.name,
            figure.against,
            f"{figure.ratio:.2f}",
            _rounds(figure.ratios),
            f"{'<=' if figure.at_most else '>='} {figure.target:.2f}",
            "[green]yes[/]" if figure.met else "[red]no[/]",
        )
    Console(width=None if console.is_terminal else WIDTH).print(table)


def _rounds(ratios: Sequence[float]) -> str:
    if len(ratios) <= SHOWN_MAX:
        return " ".join(f"{ratio:.2f}" for ratio in ratios)
    return f"{min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)}"


def write(path: Path, bench: str, figures: Sequence[Figure], facts: Mapping[str, Any]) -> None:
    """Return the same as JSON, with the facts behind it."""
    told = [asdict(figure) | {"ratio": figure.ratio, "met": figure.met} for figure in figures]
    path.write_text(json.dumps({"bench": bench, "figures": told, **facts}, indent=2) + "\n")


def database_of(server: Server) -> list[str]:
    """Return the environment that points PostgreSQL's own programs at the server."""
    return ["-h", str(server.socket), "-U", "postgres", DATABASE]
