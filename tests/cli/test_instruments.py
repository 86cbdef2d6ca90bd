"""`propdesk instruments load`: a list becomes the desk's instruments, once."""

from decimal import Decimal
from importlib.resources import files

import pytest

from cli.instruments import OPERATOR, parse
from config.errors import Problem
from domain.instruments import SYMBOL, Currency, Instrument, InstrumentKind, InstrumentStatus
from services import catalogue, instruments
from services.catalogue import CatalogueEntry, EntryOutcome
from services.saving import FieldChange
from services.unit_of_work.openings import transaction
from tests.cli.commands import propdesk
from tests.services.builders import ADMIN

COMMON = parse(files("cli").joinpath("instruments.toml").read_text("utf-8"), "instruments.toml")
GER40 = """
currencies = [{ code = "SEK", minor_units = 2 }]

[[instruments]]
symbol = "GER40"
kind = "INDEX"
quote_currency = "EUR"
price_precision = 1
quantity_step = 0.1
quantity_min = "0.1"
aliases = ["DE40", "DAX40"]
"""


async def _load(text: str, *, update: bool = False, dry_run: bool = False) -> list[CatalogueEntry]:
    return [
        line async for line in catalogue.load_catalogue(OPERATOR, parse(text, "list"), update=update, dry_run=dry_run)
    ]


def test_the_list_of_common_instruments_has_120_with_names_of_their_own() -> None:
    listed = [entry for entry in COMMON if isinstance(entry, Instrument)]
    assert len(listed) == 120
    assert {entry.kind for entry in listed} == set(InstrumentKind) - {InstrumentKind.OTHER}
    names = [name for entry in listed for name in (entry.symbol, *entry.aliases)]
    assert len(names) == len(set(names))
    assert all(SYMBOL.fullmatch(name) for name in names)
    assert all(entry.quantity_min % entry.quantity_step == 0 for entry in listed)
    dust = (InstrumentKind.CRYPTO, InstrumentKind.INDEX)
    assert all((entry.notional_min > 0) == (entry.kind in dust) for entry in listed)


async def test_the_command_loads_the_common_instruments_and_again_changes_nothing(empty_database: str) -> None:
    first = propdesk("instruments", "load", DATABASE_URL=empty_database)
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[-1].startswith("136 new, 0 changed"), first.stdout
    again = propdesk("instruments", "load", "--update", DATABASE_URL=empty_database)
    assert again.stdout == "0 new, 0 changed, 0 different and left alone, 136 unchanged, 0 refused\n"


async def test_what_the_firm_changed_is_shown_and_left_alone_unless_told(database: str) -> None:
    assert {line.outcome for line in await _load(GER40, dry_run=True)} == {EntryOutcome.NEW}
    async with transaction() as work:
        assert "GER40" not in work.catalogue.instruments
    await _load(GER40)
    await instruments.update_instrument(
        ADMIN, "GER40", {"contract_size": Decimal(25), "status": InstrumentStatus.RETIRED}
    )
    differs = [FieldChange("contractSize", "25", "1")]
    assert (await _load(GER40))[1] == CatalogueEntry("GER40", EntryOutcome.DIFFERENT, differs)
    assert (await _load(GER40, update=True, dry_run=True))[1] == CatalogueEntry("GER40", EntryOutcome.CHANGED, differs)
    assert (await _load(GER40, update=True))[1] == CatalogueEntry("GER40", EntryOutcome.CHANGED, differs)
    assert [line.outcome for line in await _load(GER40, update=True)] == [
        EntryOutcome.UNCHANGED,
        EntryOutcome.UNCHANGED,
    ]
    async with transaction() as work:
        assert work.catalogue.instruments["GER40"].status is InstrumentStatus.RETIRED


async def test_a_refused_entry_does_not_stop_the_others(database: str) -> None:
    [_, ger40] = parse(GER40, "list")
    assert isinstance(ger40, Instrument)
    await instruments.save_instrument(
        ADMIN, Instrument("DE40", None, "EUR", 1, Decimal(1), Decimal(1), InstrumentKind.INDEX)
    )
    entries: list[Currency | Instrument] = [ger40, Currency("NOK", 2, "NOK")]
    lines = [line async for line in catalogue.load_catalogue(OPERATOR, entries, update=False, dry_run=False)]
    assert [line.outcome for line in lines] == [EntryOutcome.REFUSED, EntryOutcome.NEW]
    assert "DE40" in lines[0].refusal


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("instruments = [", "is not TOML"),
        ("symbols = []", "'symbols' is neither"),
        ('instruments = [{ symbol = "X" }]', r"instruments\[0\] cannot be read: it missing"),
        ('currencies = [{ code = "X", minor_units = 2, units = 3 }]', r"currencies\[0\] cannot be read: it got an"),
        (GER40.replace('"INDEX"', '"INDICES"'), r"instruments\[0\] cannot be read"),
        (GER40.replace('"0.1"', '"a tenth"'), r"instruments\[0\] cannot be read"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused_naming_the_entry(text: str, problem: str) -> None:
    with pytest.raises(Problem, match=problem):
        parse(text, "list")
