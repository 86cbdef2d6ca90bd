"""The `aerich` command in a copy of the migrations, on a real database."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from config.aerich import models_state
from config.database import connection, create_database, drop_database, migrate, schema_is_current
from tests.house.sources import ROOT
from tests.models.schemas import picture
from tools.model_state import STATE

NEWEST = "1_20261130_second"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the project's configuration of aerich and a copy of its migrations."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.fixture
async def desk(server: str, testrun_uid: str) -> AsyncIterator[str]:
    """Return the address of an empty database."""
    name = f"aerich_{testrun_uid}"
    yield await create_database(server, name)
    await drop_database(server, name)


async def aerich(folder: Path, url: str, *words: str) -> str:
    """Run `aerich` with these arguments and return its output; a warning or failure is an error."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("aerich"),
        *words,
        cwd=folder,
        env=os.environ | {"DATABASE_URL": url, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((folder / "migrations" / "models").iterdir())}


async def test_the_newest_migration_has_the_state_of_the_models() -> None:
    assert (ROOT / STATE).read_text() == await models_state(), "run: .venv/bin/propdesk export-models"


@pytest.mark.campaign
async def test_history_heads_and_a_migrate_that_finds_no_difference(folder: Path, empty_database: str) -> None:
    before = files(folder)
    assert await aerich(folder, empty_database, "history") == "0_20261121_init.py\n1_20261130_second.py\n"
    assert await aerich(folder, empty_database, "heads") == "No available heads.\n"
    assert await aerich(folder, empty_database, "migrate") == "No changes detected\n"
    assert await aerich(folder, empty_database, "migrate", "--offline") == "No changes detected\n"
    assert files(folder) == before


@pytest.mark.campaign
async def test_up_down_and_up_again_give_the_same_schemas(folder: Path, desk: str) -> None:
    """`aerich upgrade` creates the same schema as `propdesk migrate`."""
    second = [path for path in (folder / "migrations" / "models").iterdir() if path.name.startswith("1_")]
    for path in second:
        path.rename(folder / path.name)
    assert await aerich(folder, desk, "upgrade") == "Success upgrading to 0_20261121_init.py\n"
    async with connection(desk) as owner:
        first_edition = await picture(owner)
        for path in second:
            (folder / path.name).rename(path)
        assert await aerich(folder, desk, "heads") == f"{NEWEST}.py\n"
        assert await aerich(folder, desk, "upgrade") == f"Success upgrading to {NEWEST}.py\n"
        second_edition = await picture(owner)
        assert await schema_is_current(desk)
        assert await aerich(folder, desk, "downgrade", "--yes") == f"Success downgrading to {NEWEST}.py\n"
        assert await picture(owner) == first_edition
        assert not await schema_is_current(desk)
        assert await migrate(desk) == [f"{NEWEST}.py"]
        assert await picture(owner) == second_edition


async def test_a_changed_model_becomes_a_migration(folder: Path, empty_database: str) -> None:
    """The models cannot change during a test, so aerich gets a stored state with fewer columns."""
    async with connection(empty_database) as owner:
        state = json.loads(await owner.fetchval("select content from aerich where version = $1", f"{NEWEST}.py"))
        brand, job, breach = (state[f"models.{name}"] for name in ("Brand", "Job", "Breach"))
        brand["data_fields"] = [field for field in brand["data_fields"] if field["name"] != "title"]
        job["indexes"] = [index for index in job["indexes"] if index["name"] != "jobs_dead"]
        breach["indexes"] = [index for index in breach["indexes"] if index["name"] != "breaches_challenge"]
        await owner.execute("update aerich set content = $1 where version = $2", json.dumps(state), f"{NEWEST}.py")
    before = files(folder)
    assert "Success creating migration file 2_" in await aerich(folder, empty_database, "migrate", "--name", "third")
    (new,) = files(folder).keys() - before.keys()
    text = files(folder)[new]
    for statement in (
        'ALTER TABLE "brands" ADD "title" TEXT NOT NULL;',
        'CREATE INDEX IF NOT EXISTS "jobs_dead" ON "jobs" ("id") WHERE status = \'DEAD\';',
        'CREATE INDEX IF NOT EXISTS "breaches_challenge" ON "breaches" ("challenge_id", id desc);',
        'ALTER TABLE "brands" DROP COLUMN "title";',
        "MODELS_STATE",
    ):
        assert statement in text
