"""docs/ledger.md as a stranger reads it: its lines check an exported chain, and its list tells every row there is."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

from domain.ledger import Kind
from services.unit_of_work.reads import read_connection
from tests.cli.commands import propdesk
from tests.services.corruptions import a_worked_desk
from tests.services.world import rows, value

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "ledger.md"
STRETCH = ("--from", "2020-01-01", "--to", "2100-01-01")


def the_lines() -> str:
    """The program in the document."""
    [found] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)
    lines: str = found
    assert len(lines.splitlines()) <= 30
    return lines


def the_list() -> dict[str, set[str]]:
    """The names of facts by kind."""
    told: dict[str, set[str]] = {}
    for kind, facts in re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*) \|$", DOCUMENT.read_text(), flags=re.MULTILINE):
        told[kind] = told[list(told)[-1]] if facts.startswith("the same") else set(re.findall(r"`([a-z_]+)`", facts))
    return told


def checked(exported: str) -> subprocess.CompletedProcess[str]:
    """The document's program, away from everything of ours, run on an export."""
    return subprocess.run(
        [sys.executable, "-I", "-c", the_lines()], input=exported, capture_output=True, text=True, check=False
    )


def without(exported: str, line: int) -> str:
    lines = exported.splitlines(keepends=True)
    return "".join(lines[:line] + lines[line + 1 :])


def with_a_fee_of_nothing(exported: str) -> str:
    """The first fill says that it cost nothing."""
    table = list(csv.DictReader(io.StringIO(exported)))
    row = next(row for row in table if row["kind"] == "fill")
    row["facts"] = json.dumps(json.loads(row["facts"]) | {"fee": "0"})
    out = io.StringIO()
    writer = csv.DictWriter(out, list(row))
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue()


async def test_the_lines_accept_a_true_ledger_and_no_other_and_the_list_tells_each_of_its_rows(database: str) -> None:
    await a_worked_desk(database)
    exported = propdesk("export", "ledger", *STRETCH, DATABASE_URL=database).stdout
    accepted = checked(exported)
    assert (accepted.returncode, accepted.stderr) == (0, "")
    heads = await rows("select account_id, seq, trim_scale(cash) as cash, encode(head, 'hex') as head from balances")
    assert len(heads) > 5
    for row in heads:
        ends = f"account {row['account_id']}: intact up to seq {row['seq']}, balance "
        [line] = [line for line in accepted.stdout.splitlines() if line.startswith(ends)]
        assert line.endswith(f", head {row['head']}")
    for changed, complaint in (
        (with_a_fee_of_nothing(exported), "its hash is not that of its content"),
        (exported.replace(",100000.00000000,", ",100001.00000000,", 1), "its balance is not the one before"),
        (without(exported, 3), "follows seq 2"),
    ):
        refused = checked(changed)
        assert refused.returncode == 1
        assert complaint in refused.stderr
    later = checked(without(without(exported, 1), 1))
    assert later.returncode == 0, "an export may begin later"
    await _every_row_is_told()


async def _every_row_is_told() -> None:
    """The document's list names every kind, and each fact of every row of the desk."""
    told = the_list()
    assert told.keys() == set(Kind)
    async with read_connection() as conn:
        found = await conn.fetch("select distinct kind, jsonb_object_keys(facts) as fact from ledger")
    assert {(row["kind"], row["fact"]) for row in found} <= {(kind, fact) for kind in told for fact in told[kind]}
    assert await value("select count(distinct kind) from ledger") >= 18
