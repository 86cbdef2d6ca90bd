"""`propdesk export`: the ledger, transfers or audit log of a period, as CSV."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from cli.databases import read_from_desk
from config.embedded import running_database
from config.errors import Problem
from config.logs import configure_logging
from config.settings import Settings, load_settings
from services import exports
from services.exports import ExportKind

BROKEN_PIPE = 141  # the exit status that a shell reports for a process killed by SIGPIPE


def export(
    what: Annotated[ExportKind, typer.Argument(help="What to export")],
    since: Annotated[str, typer.Option("--from", help="Start, inclusive: 2026-03-01 or 2026-03-01T09:00:00+01:00")],
    until: Annotated[str, typer.Option("--to", help="End, exclusive; a date alone means 00:00 UTC")],
    brand: Annotated[str | None, typer.Option(help="Only this brand's rows")] = None,
    output: Annotated[Path | None, typer.Option(help="The file to write; default: standard output")] = None,
) -> None:
    """Write rows as CSV with a header: ledger and transfers by market time, the audit log by recording time."""
    first, last = _instant("--from", since), _instant("--to", until)
    settings = load_settings()
    configure_logging(settings.log_level, "export")
    with running_database(settings) as ready, Target(output).opened() as target:
        rows = asyncio.run(_write(ready, target, what, first, last, brand))
    typer.echo(f"{rows:,} rows of the {what} written to {output or 'the standard output'}", err=True)


def _instant(option: str, text: str) -> datetime:
    """Parse a date, or a time with a UTC offset. Raises Problem."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Problem(
            f"{option} {text!r} is no date such as 2026-03-01 and no instant such as 2026-03-01T09:00:00Z"
        ) from None
    if moment.tzinfo is None and len(text) > len("2026-03-01"):
        raise Problem(f"{option} {text!r} needs an offset: Z for UTC, or such as +01:00")
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise Problem(f"{option} {text!r} is not within the years 1 to 9999") from None


class Target:
    """The destination of the rows: a temporary file that replaces `output` once complete, or standard output."""

    def __init__(self, output: Path | None) -> None:
        self.output = output
        self.file: BinaryIO = sys.stdout.buffer

    async def write(self, piece: bytes) -> None:
        with self._explained():
            self.file.write(piece)

    def begin_anew(self) -> None:
        """Discard the rows written so far. Raises Problem for standard output, whose reader already has them."""
        if self.output is None:
            raise Problem("the standby has cut the export off in the middle; run it again, or with --output FILE")
        with self._explained():
            self.file.seek(0)
            self.file.truncate()

    @contextmanager
    def opened(self) -> Iterator["Target"]:
        """Open the target; an existing file stays unchanged until success. Raises Problem if it is not writable."""
        if self.output is None:
            yield self
            with self._explained():
                self.file.flush()
            return
        part = self.output.with_name(f".{self.output.name}.{os.getpid()}.part")
        with self._explained():
            if self.output.is_dir():
                raise IsADirectoryError(0, "it is a directory")
            self.file = part.open("xb")
        try:
            with self.file:
                yield self
                with self._explained():
                    self.file.flush()
                    os.fsync(self.file.fileno())
            with self._explained():
                part.replace(self.output)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:  # the reader closed the pipe
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains at exit
            raise typer.Exit(BROKEN_PIPE) from None
        except OSError as error:
            told = f"--output {str(self.output)!r}" if self.output else "the standard output"
            raise Problem(f"cannot write {told}: {error.strerror or error}") from None


async def _write(
    ready: Settings, target: Target, what: ExportKind, since: datetime, until: datetime, brand: str | None
) -> int:
    return await read_from_desk(
        ready, "export", lambda: exports.export_rows(what, since, until, brand, target.write), again=target.begin_anew
    )
