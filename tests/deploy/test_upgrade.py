"""A new version beside the old one under load: the schema first, then the API processes, then the workers.

The new version is a copy of these sources with one migration more, of the kind a release has: columns and an index on
tables that are busy, and a new table.
"""

import asyncio
import shutil
from pathlib import Path

import httpx
import pytest

from tests.cli.commands import a_free_port
from tests.cluster.comparison import compare, newest_event
from tests.cluster.desk import Desk, Member, propdesk, running
from tests.cluster.journal import Journal
from tests.cluster.load import Settings, working
from tests.house.sources import PACKAGES, ROOT

pytestmark = pytest.mark.campaign

SIDE_BY_SIDE_SECONDS = 8
NAME = "2_20270101_third"
SQL = """
alter table challenges add column upgrade_note text;
alter table accounts add column upgrade_note text;
alter table balances add column upgrade_figure bigint not null default 0;
alter table jobs add column upgrade_note text;
alter table orders add column upgrade_note text;
create index upgrade_orders on orders (upgrade_note) where upgrade_note is not null;
create table upgrades (id bigint generated always as identity primary key, note text);
grant select, insert on upgrades to propdesk_app;
"""


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The sources of the new version."""
    root = tmp_path / "newer"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    models = root / "migrations" / "models"
    (before,) = models.glob("1_*.py")
    shutil.copy(before, models / f"{NAME}.py")
    shutil.copy(before.with_suffix(".models.json"), models / f"{NAME}.models.json")
    (models / f"{NAME}.sql").write_text(SQL)
    (models / f"{NAME}.down.sql").write_text("drop table upgrades;")
    return root


async def test_the_new_version_takes_over_process_by_process_under_load(
    empty_database: str, newer: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "desk"
    folder.mkdir()
    desk = Desk(folder, empty_database, apis=2, workers=2)
    new = {"PYTHONPATH": str(newer)}
    with Journal(tmp_path / "journal") as journal:
        async with running(desk), working(desk, journal, Settings(subscribers=2, verbs_second=10)) as load:
            work = asyncio.create_task(load.run())
            await asyncio.sleep(2)
            status, said = await propdesk("migrate", env={"DATABASE_URL": empty_database} | new)
            assert (status, f"applied {NAME}.py" in said) == (0, True), said
            assert await _warnings(desk) == [f"newer than this process, by {NAME}.py; restart it with that version"] * 2
            await _refuses_to_start(desk.apis[0])
            for old, later in (desk.apis, desk.workers):
                await _replace(old, new)
                await desk.ready()
                await asyncio.sleep(SIDE_BY_SIDE_SECONDS)
                await _replace(later, new)
                await desk.ready()
            assert await _warnings(desk) == [None, None]
            load.stop()
            await work
            await load.settled()
            await load.all_events_came(newest_event(empty_database))
    assert compare(empty_database, journal) == []
    assert journal.requests
    assert not desk.log_lines("INTERNAL")
    faults = [line for line in desk.log_lines("Traceback") if "InvalidCachedStatementError" not in line]
    assert not faults, "a job whose statement the migration made invalid is tried again; nothing else fails"


async def _replace(member: Member, new: dict[str, str]) -> None:
    """Stop it as a service manager does, and start it from the new sources."""
    await member.stop()
    member.environment = dict(member.environment) | new
    member.start()


async def _warnings(desk: Desk) -> list[str | None]:
    """What readiness of each API process says of the schema; each of them is ready."""
    said = []
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        for api in desk.apis:
            answer = await http.get(api.url.replace("/graphql", "/readyz"))
            assert answer.status_code == 200, answer.text
            said.append(answer.json()["warnings"].get("schema"))
    return said


async def _refuses_to_start(old: Member) -> None:
    """Another process of the old version ends at once, with one line."""
    for command in ("serve", "work"):
        status, said = await propdesk(command, env=dict(old.environment) | {"PROPDESK_PORT": str(a_free_port())})
        assert status == 1
        (line,) = [line for line in said.splitlines() if line.startswith("propdesk: ")]
        assert "newer than this program" in line
        assert NAME in line
