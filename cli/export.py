"""`propdesk export`: ledger, transfers or audit of a stretch of time, as CSV."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from config.database import close_database, open_database, require_current_schema
from config.embedded import running_database
from config.errors import Problem
from config.logs import configure_logging
from config.settings import load_settings
from services import exports
from services.exports import Kind

READABLE = 0o644
BROKEN_PIPE = 141  # as a shell says it of a process that the signal ended


def export(
    what: Annotated[Kind, typer.Argument(help="What to export")],
    since: Annotated[str, typer.Option("--from", help="The first instant: 2026-03-01, or 2026-03-01T09:00:00+01:00")],
    until: Annotated[str, typer.Option("--to", help="The first instant no more; a date alone begins at 00:00 UTC")],
    brand: Annotated[str | None, typer.Option(help="Only this brand's rows")] = None,
    output: Annotated[Path | None, typer.Option(help="The file to write; left out, the standard output")] = None,
) -> None:
    """Write rows as CSV with a header: ledger and transfers by the market's time, the audit by that of recording."""
    first, last = _instant("--from", since), _instant("--to", until)
    settings = load_settings()
    configure_logging(settings.log_level, "export")
    with running_database(settings) as ready, _opened(output) as file:
        assert ready.database_url, "running_database has filled it in"
        rows = asyncio.run(_write(ready.database_url, file, what, first, last, brand))
    typer.echo(f"{rows:,} rows of the {what} written to {output or 'the standard output'}", err=True)


def _instant(option: str, text: str) -> datetime:
    """A date, or an instant with its offset. Raises Problem."""
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


async def _write(url: str, file: BinaryIO, what: Kind, since: datetime, until: datetime, brand: str | None) -> int:
    async def sink(piece: bytes) -> None:
        file.write(piece)

    await require_current_schema(url)
    await open_database(url, pool_size=2, name="export")
    try:
        return await exports.write(what, since, until, brand, sink)
    finally:
        await close_database()


@contextmanager
def _opened(output: Path | None) -> Iterator[BinaryIO]:
    """Where to write: a new file that takes the place of `output` once it is whole, or the standard output."""
    if output is None:
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains as it ends
            raise typer.Exit(BROKEN_PIPE) from None
        return
    if output.is_dir():
        raise Problem(f"--output {str(output)!r} is a directory")
    try:
        with tempfile.NamedTemporaryFile(
            dir=output.parent, prefix=f".{output.name}.", suffix=".part", delete=False
        ) as file:
            part = Path(file.name)
            try:
                yield file  # type: ignore[misc] # a temporary file is a BinaryIO in all but its declared type
                file.flush()
                os.fsync(file.fileno())
                part.chmod(READABLE)
                part.replace(output)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise Problem(f"cannot write --output {str(output)!r}: {error.strerror or error}") from None
