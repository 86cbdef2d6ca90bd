"""`propdesk export` as a process: a whole file or none, rows on the standard output, a line for what is wrong."""

import csv
import io
import subprocess
from pathlib import Path

from config.address import parse
from config.database import connection
from tests.cli.commands import COMMAND, propdesk

STRETCH = ("--from", "2026-03-01", "--to", "2026-03-02T01:00:00+01:00")
MANY = 30_000
PLANT = """
insert into brands (name, title) values ('acme', 'Acme');
insert into accounts (id, brand, group_name, mode, currency, policy, starting_balance, created_at)
  values (1, 'acme', 'DEMO', 'RACE', 'USD', '{}', 5, now());
insert into ledger (account_id, seq, kind, amount, balance_after, market_time, batch, facts, hash)
  select 1, n, 'deposit', 0.1, n * 0.1, timestamptz '2026-03-01 00:00:00Z' + n * interval '1 millisecond', 0,
    '{"cause": "a, \\"b\\""}', sha256(int4send(n))
  from generate_series(1, $many) n;
"""


def _names(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


def _through_head(url: str) -> subprocess.CompletedProcess[str]:
    command = " ".join((*COMMAND, "export", "ledger", *STRETCH, "| head -n 2"))
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        env={"DATABASE_URL": url, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def _plant(url: str, many: int) -> None:
    async with connection(url) as owner:
        await owner.execute(PLANT.replace("$many", str(many)))


async def test_rows_go_to_the_standard_output_and_the_rest_beside_it(empty_database: str) -> None:
    await _plant(empty_database, 3)
    done = propdesk("export", "ledger", *STRETCH, DATABASE_URL=empty_database)
    assert done.returncode == 0, done.stderr
    found = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["seq"] for row in found] == ["1", "2", "3"]
    assert found[1]["balance_after"] == "0.20000000"
    assert found[1]["market_time"] == "2026-03-01T00:00:00.002000+00:00"
    assert done.stderr.endswith("3 rows of the ledger written to the standard output\n")


async def test_a_file_is_there_whole_or_not_at_all(empty_database: str, tmp_path: Path) -> None:
    await _plant(empty_database, 3)
    file = tmp_path / "ledger.csv"
    file.write_text("yesterday's")
    wrong = propdesk(
        "export", "ledger", *STRETCH, "--brand", "nobody", "--output", str(file), DATABASE_URL=empty_database
    )
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "nobody" in wrong.stderr
    assert file.read_text() == "yesterday's"
    done = propdesk("export", "ledger", *STRETCH, "--output", str(file), DATABASE_URL=empty_database)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert len(file.read_text().splitlines()) == 4
    assert _names(tmp_path) == [file.name], "nothing is left beside it"


async def test_a_reader_that_stops_reading_ends_it_quietly(empty_database: str) -> None:
    await _plant(empty_database, MANY)
    done = _through_head(empty_database)
    assert (done.returncode, done.stderr) == (141, f"database: {parse(empty_database)} as postgres\n")
    assert len(done.stdout.splitlines()) == 2


def test_what_cannot_be_read_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    wrong = [
        (("--from", "yesterday", "--to", "2026-03-02"), "--from 'yesterday' is no date"),
        (("--from", "2026-02-30", "--to", "2026-03-02"), "--from '2026-02-30' is no date"),
        (("--from", "2026-03-01", "--to", "2026-03-01T12:00:00"), "--to '2026-03-01T12:00:00' needs an offset"),
        (("--from", "0001-01-01T00:00:00+14:00", "--to", "2026-03-01"), "is not within the years"),
    ]
    for options, told in wrong:
        done = propdesk("export", "audit", *options, DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
        assert told in done.stderr


async def test_a_path_that_cannot_be_written_is_one_line(empty_database: str, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing" / "file.csv"):
        done = propdesk("export", "audit", *STRETCH, "--output", str(path), DATABASE_URL=empty_database)
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
        assert f"cannot write --output '{path}': " in done.stderr
    assert _names(tmp_path) == []
