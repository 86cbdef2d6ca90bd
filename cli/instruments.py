"""`propdesk instruments`: manage the currencies and instruments that the desk trades."""

import asyncio
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, DecimalException
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from cli.databases import open_desk
from config.embedded import running_database
from config.errors import Problem
from config.logs import configure_logging
from config.settings import Settings, load_settings
from domain.instruments import Currency, Guard, GuardMode, Instrument, InstrumentKind
from domain.quote_guard import DEFAULTS
from services import catalogue
from services.catalogue import CatalogueEntry, EntryOutcome
from services.principals import Principal, Role

OPERATOR = Principal(0, "cli", Role.ADMIN)

instruments = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@instruments.callback()
def group() -> None:
    """Manage the currencies and instruments that the desk trades."""


@instruments.command()
def load(
    file: Annotated[
        Path | None, typer.Argument(help="A TOML list of currencies and instruments; default: 120 common ones.")
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="Change entries that differ from the list.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the changes without making them.")] = False,
) -> None:
    """Load a list of currencies and instruments into the desk; a second run changes nothing.

    Missing entries are created. Existing entries that differ are printed, and changed only with --update.
    """
    text = files("cli").joinpath("instruments.toml").read_text("utf-8") if file is None else _read(file)
    listed = parse(text, str(file or "instruments.toml"))
    settings = load_settings()
    configure_logging(settings.log_level, "instruments")
    with running_database(settings) as ready:
        outcomes = asyncio.run(_load(ready, listed, update=update, dry_run=dry_run))
    would = "would be " if dry_run else ""
    typer.echo(
        f"{outcomes[EntryOutcome.NEW]} {would}new, {outcomes[EntryOutcome.CHANGED]} {would}changed, "
        f"{outcomes[EntryOutcome.DIFFERENT]} different and left alone, {outcomes[EntryOutcome.UNCHANGED]} unchanged, "
        f"{outcomes[EntryOutcome.REFUSED]} refused"
    )
    if outcomes[EntryOutcome.REFUSED]:
        raise typer.Exit(1)


async def _load(
    settings: Settings, listed: Sequence[Currency | Instrument], *, update: bool, dry_run: bool
) -> Counter[EntryOutcome]:
    outcomes: Counter[EntryOutcome] = Counter()
    async with open_desk(settings, "instruments"):
        async for line in catalogue.load_catalogue(OPERATOR, listed, update=update, dry_run=dry_run):
            outcomes[line.outcome] += 1
            if line.outcome is not EntryOutcome.UNCHANGED:
                typer.echo(_text(line))
    return outcomes


def _text(line: CatalogueEntry) -> str:
    differences = ", ".join(f"{one.field} {one.before or 'none'} -> {one.after or 'none'}" for one in line.differences)
    why = differences or line.refusal
    return f"{line.outcome.lower():9} {line.name}" + (f": {why}" if why else "")


def parse(text: str, name: str) -> list[Currency | Instrument]:
    """Return the entries of a list, currencies first. Raises Problem naming the first entry that cannot be read."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Problem(f"{name} is not TOML: {error}") from None
    if unknown := data.keys() - {"currencies", "instruments"}:
        raise Problem(f"{name}: {min(unknown)!r} is neither `currencies` nor `instruments`")
    return [
        *(_entry(name, "currencies", place, one) for place, one in enumerate(data.get("currencies", ()))),
        *(_entry(name, "instruments", place, one) for place, one in enumerate(data.get("instruments", ()))),
    ]


def _entry(name: str, kind: str, place: int, data: dict[str, Any]) -> Currency | Instrument:
    try:
        return _currency(**data) if kind == "currencies" else _instrument(**data)
    except (TypeError, ValueError, DecimalException) as error:
        reason = str(error).replace("_instrument()", "it").replace("_currency()", "it").replace("_guard()", "its guard")
        raise Problem(f"{name}: {kind}[{place}] cannot be read: {reason}") from None


def _currency(code: str, minor_units: int, par: str | None = None) -> Currency:
    return Currency(code, int(minor_units), par or code)


def _instrument(
    symbol: str,
    quote_currency: str,
    price_precision: int,
    quantity_step: str,
    quantity_min: str,
    kind: str = InstrumentKind.FOREX,
    base_currency: str | None = None,
    contract_size: str = "1",
    notional_min: str = "0",
    aliases: Sequence[str] = (),
    guard: Mapping[str, Any] = MappingProxyType({}),
) -> Instrument:
    listed = Instrument(
        symbol,
        base_currency,
        quote_currency,
        int(price_precision),
        Decimal(str(quantity_step)),
        Decimal(str(quantity_min)),
    )
    return replace(
        listed,
        kind=InstrumentKind(kind),
        contract_size=Decimal(str(contract_size)),
        notional_min=Decimal(str(notional_min)),
        aliases=tuple(sorted(aliases)),
        guard=_guard(DEFAULTS[InstrumentKind(kind)], **guard),
    )


def _guard(
    of_kind: Guard,
    mode: str | None = None,
    move_pct: str | None = None,
    move_seconds: int | None = None,
    spread_pct: str | None = None,
    frozen_seconds: int | None = None,
) -> Guard:
    return Guard(
        of_kind.mode if mode is None else GuardMode(mode),
        of_kind.move_pct if move_pct is None else Decimal(str(move_pct)),
        of_kind.move_seconds if move_seconds is None else int(move_seconds),
        of_kind.spread_pct if spread_pct is None else Decimal(str(spread_pct)),
        of_kind.frozen_seconds if frozen_seconds is None else int(frozen_seconds),
    )


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"cannot read {file}: {error}") from None
