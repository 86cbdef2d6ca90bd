"""Exports: every row of the stretch of time and no other, exact, in the order in which a chain is checked."""

import asyncio
import csv
import io
import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from config.database import connection
from domain.audits import Entry, link
from domain.errors import InvalidInput, NotFound
from domain.ledger import GENESIS, chain
from services import admin, brands, exports
from services.exports import ExportKind
from services.principals import Principal, Role
from tests.services.test_accounts import an_account
from tests.services.world import ADMIN, MANAGER, START, a_world, act, rows

OTHER = Principal(9, "other desk", Role.MANAGER, "other")
LONG_AGO, FAR_OFF = START - timedelta(days=9999), START + timedelta(days=9999)


async def _written(
    kind: ExportKind, since: datetime = LONG_AGO, until: datetime = FAR_OFF, brand: str | None = None
) -> list[dict[str, str]]:
    pieces: list[bytes] = []

    async def sink(piece: bytes) -> None:
        pieces.append(piece)

    many = await exports.export_rows(kind, since, until, brand, sink)
    found = list(csv.DictReader(io.StringIO(b"".join(pieces).decode(), newline="")))
    assert len(found) == many
    return found


async def test_a_ledger_that_was_exported_can_be_checked_link_by_link(database: str) -> None:
    world = await a_world(database)
    account = await an_account(group="DEMO", owner='Ann, "the\nbot"')
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await world.quote("1.2")
    await admin.liquidate(MANAGER, account, 'said "no",\r\nthen left: ü')
    found = await _written(ExportKind.LEDGER)
    head, balance = GENESIS, Decimal(0)
    for number, row in enumerate(found, 1):
        assert (row["brand"], row["account_id"], row["seq"], row["currency"]) == (
            "acme", str(account), str(number), "USD",
        )  # fmt: skip
        balance += Decimal(row["amount"])
        assert Decimal(row["balance_after"]) == balance
        head = chain(
            head,
            account,
            number,
            row["kind"],
            Decimal(row["amount"]),
            balance,
            datetime.fromisoformat(row["market_time"]),
            int(row["batch"]),
            json.loads(row["facts"]),
        )
        assert row["hash"] == head.hex()
        assert row["market_time"].endswith("+00:00")
    assert found[-1]["kind"] == "account_liquidated"
    assert len(found) == len(await rows("select 1 from ledger"))


async def test_an_audit_that_was_exported_can_be_checked_link_by_link(database: str) -> None:
    await a_world(database)
    account = await an_account(clone="c")
    await admin.lock(MANAGER, account, "ü \u2028 'quoted', \"twice\"\n")
    found = await _written(ExportKind.AUDIT, brand="acme")
    head = GENESIS
    for number, row in enumerate(found, 1):
        told = {name: row[name] for name in Entry.__slots__ if name not in ("chain", "before", "after")}
        entry = Entry(row["brand"], **told, before=json.loads(row["before"]), after=json.loads(row["after"]))
        head = link(head, number, entry, datetime.fromisoformat(row["recorded_at"]))
        assert (row["seq"], row["hash"]) == (str(number), head.hex())
    assert found[-1]["operation"] == "lockAccount"
    of_no_brand = [row for row in await _written(ExportKind.AUDIT) if not row["brand"]]
    assert {row["operation"] for row in of_no_brand} >= {"saveInstrument"}


async def test_transfers_name_both_sides_and_sum_to_zero(database: str) -> None:
    await a_world(database)
    account = await an_account()
    found = await _written(ExportKind.TRANSFERS)
    assert sum(Decimal(row["amount"]) for row in found) == 0
    assert {(row["kind"], row["house"], row["client"], row["account_id"]) for row in found} == {
        ("TOP_UP", "EXTERNAL", "", ""),
        ("TOP_UP", "", "alice", ""),
        ("DEPOSIT", "CAPITAL", "", ""),
        ("DEPOSIT", "", "", str(account)),
    }


async def test_only_what_falls_into_the_time_and_the_brand_is_written(database: str) -> None:
    world = await a_world(database)
    await brands.save_brand(ADMIN, name="other", title="Other")
    account = await an_account()
    await world.quote("1.2", after=timedelta(hours=1))
    theirs = await admin.create_account(OTHER, mode="AUDITION", key="k")
    await admin.start_by_hand(OTHER, theirs)
    later = START + timedelta(hours=1)
    assert {row["account_id"] for row in await _written(ExportKind.LEDGER, START, later)} == {str(account)}
    assert {row["account_id"] for row in await _written(ExportKind.LEDGER, later, FAR_OFF)} == {str(theirs)}
    assert {row["account_id"] for row in await _written(ExportKind.LEDGER, brand="other")} == {str(theirs)}
    assert {row["brand"] for row in await _written(ExportKind.TRANSFERS, brand="acme")} == {"acme"}
    assert await _written(ExportKind.LEDGER, LONG_AGO, START) == []


async def test_a_time_that_ends_before_it_begins_and_an_unknown_brand_are_refused(database: str) -> None:
    await a_world(database)
    for since, until in ((START, START), (FAR_OFF, START)):
        with pytest.raises(InvalidInput):
            await _written(ExportKind.LEDGER, since, until)
    with pytest.raises(NotFound):
        await _written(ExportKind.LEDGER, brand="nobody")


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "'=1", "'", "a=1", "7", "ü"]


async def test_no_text_is_a_formula_and_each_is_there_again_without_its_apostrophe(database: str) -> None:
    await a_world(database)
    account = await an_account(clone="c")
    for reason in FORMULAS:
        await admin.lock(MANAGER, account, reason)
        await admin.unlock(MANAGER, account, reason)
    async with connection(database) as owner:
        await owner.execute("update wallets set client = '=cmd|''/c calc''!A1'")
    transfers = await _written(ExportKind.TRANSFERS)
    assert "'=cmd|'/c calc'!A1" in {row["client"] for row in transfers}
    assert {row["amount"][0] for row in transfers} >= {"-"}, "numbers stay numbers"
    audit = [row for row in await _written(ExportKind.AUDIT, brand="acme") if row["operation"] == "lockAccount"]
    assert not [row["reason"] for row in audit if row["reason"][0] in "=+-@\t\r\n\uff1d"]
    assert [row["reason"].removeprefix("'") for row in audit] == FORMULAS
    assert [row["reason"] for row in audit][-3:] == ["a=1", "7", "ü"]


async def test_a_sink_that_fails_ends_the_export_with_its_error(database: str) -> None:
    await a_world(database)
    await an_account(group="DEMO")

    async def sink(piece: bytes) -> None:
        raise BrokenPipeError

    async with asyncio.timeout(30):
        for _ in range(30):
            with pytest.raises(BrokenPipeError):
                await exports.export_rows(ExportKind.LEDGER, LONG_AGO, FAR_OFF, None, sink)
    assert await _written(ExportKind.LEDGER)
