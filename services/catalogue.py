"""Loading a list of currencies and instruments: missing entries are created, differences are shown."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from domain.errors import Refused
from domain.instruments import Currency, Instrument
from services import currencies, instruments
from services.principals import Principal
from services.saving import FieldChange, field_changes
from services.unit_of_work.openings import transaction


class EntryOutcome(StrEnum):
    """The result for one entry of the list."""

    NEW = "NEW"
    CHANGED = "CHANGED"
    DIFFERENT = "DIFFERENT"  # and left as it is
    UNCHANGED = "UNCHANGED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One entry of the list: code or symbol, result, and the reason or the fields that differ."""

    name: str
    outcome: EntryOutcome
    differences: Sequence[FieldChange] = ()
    refusal: str = ""


async def load_catalogue(
    principal: Principal, listed: Sequence[Currency | Instrument], *, update: bool, dry_run: bool
) -> AsyncIterator[CatalogueEntry]:
    """Create missing entries, each in a transaction of its own; with `update`, change those that differ.

    A refused entry does not stop the others. A dry run writes nothing.
    """
    for entry in listed:
        async with transaction() as work:
            catalogue = work.catalogue
        if isinstance(entry, Currency):
            yield await _currency(principal, entry, catalogue.currencies.get(entry.code), update, dry_run)
        else:
            yield await _instrument(principal, entry, catalogue.instruments.get(entry.symbol), update, dry_run)


async def _currency(
    principal: Principal, entry: Currency, stored: Currency | None, update: bool, dry_run: bool
) -> CatalogueEntry:
    differences = field_changes(asdict(stored) if stored else None, asdict(entry))
    line = _line(entry.code, stored is None, differences, update)
    if dry_run or line.outcome not in (EntryOutcome.NEW, EntryOutcome.CHANGED):
        return line
    values = {"minor_units": entry.minor_units, "par": entry.par}
    try:
        await currencies.update_currency(principal, entry.code, values)
    except Refused as refusal:
        return CatalogueEntry(entry.code, EntryOutcome.REFUSED, refusal=str(refusal))
    return line


async def _instrument(
    principal: Principal, entry: Instrument, stored: Instrument | None, update: bool, dry_run: bool
) -> CatalogueEntry:
    if stored is not None:
        entry = replace(entry, status=stored.status)  # a list does not say what the firm has retired
    differences = field_changes(
        instruments.instrument_facts(stored) if stored else None, instruments.instrument_facts(entry)
    )
    line = _line(entry.symbol, stored is None, differences, update)
    if dry_run or line.outcome not in (EntryOutcome.NEW, EntryOutcome.CHANGED):
        return line
    try:
        await instruments.save_instrument(principal, entry)
    except Refused as refusal:
        return CatalogueEntry(entry.symbol, EntryOutcome.REFUSED, refusal=str(refusal))
    return line


def _line(name: str, new: bool, differences: Sequence[FieldChange], update: bool) -> CatalogueEntry:
    if new:
        return CatalogueEntry(name, EntryOutcome.NEW)
    if not differences:
        return CatalogueEntry(name, EntryOutcome.UNCHANGED)
    return CatalogueEntry(name, EntryOutcome.CHANGED if update else EntryOutcome.DIFFERENT, differences)
