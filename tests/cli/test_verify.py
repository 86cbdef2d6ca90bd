"""`propdesk verify` as a process: silent about books that hold, a line for each thing that does not."""

from config.address import parse
from config.database import connection
from tests.cli.commands import propdesk
from tests.services.corruptions import ALONE, a_worked_desk


async def test_books_that_hold_exit_0_with_what_was_checked(empty_database: str) -> None:
    done = propdesk("verify", DATABASE_URL=empty_database)
    assert done.returncode == 0, done.stderr
    assert "checks of 0 accounts, 0 ledger rows" in done.stdout
    assert done.stdout.endswith(": no violations\n")


async def test_books_that_do_not_exit_1_naming_each_violation(empty_database: str) -> None:
    async with connection(empty_database) as owner:
        await owner.execute("insert into brands (name, title) values ('acme', 'Acme')")
        await owner.execute("insert into wallets (brand, client, currency, cash) values ('acme', 'alice', 'USD', 5)")
    done = propdesk("verify", DATABASE_URL=empty_database)
    assert done.returncode == 1
    first, second, summary = done.stdout.splitlines()
    assert first.startswith("wallets sum their transfers: wallet 1: holds 5, its transfers sum to 0")
    assert second.startswith("real money sums to zero: acme in USD: ")
    assert summary.endswith(": 2 violations")
    assert done.stderr == f"database: {parse(empty_database)} as postgres\n"
    async with connection(empty_database) as owner:
        assert await owner.fetchval("select violations from book_check") == 2


async def test_three_dozen_corruptions_at_once_are_each_named(database: str) -> None:
    await a_worked_desk(database)
    some = {check: every[0] for check, every in ALONE.items() if check != "failed phases have one breach"}
    assert len(some) >= 36, "but for the one that would take others' evidence away"
    async with connection(database) as owner:
        await owner.execute("set session_replication_role = replica")
        for statements in some.values():
            await owner.execute(statements)
    done = propdesk("verify", DATABASE_URL=database)
    assert done.returncode == 1
    assert some.keys() - {line.split(":")[0] for line in done.stdout.splitlines()} == set()
    assert "no violations" not in done.stdout


async def test_a_database_that_is_not_there_is_one_line() -> None:
    done = propdesk("verify", DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "cannot connect to DATABASE_URL" in done.stderr
