"""The sample brand: complete, marked, made once, and never among real ones."""

from decimal import Decimal
from typing import Any

import pytest

from config.database import pool
from domain.lifecycles import ProgramStatus
from domain.programs import Draft
from models.tables.brands import Brand
from models.tables.programs import Program
from services import brands, groups, instruments, presets, quotes, sample, tokens
from tests.services.builders import ADMIN
from tests.services.world import START, a_quote, make_replay

COUNTED = ("brands", "instruments", "account_groups", "programs", "program_phases", "wallets", "transfers")


async def _counts() -> dict[str, Any]:
    return {table: await pool().fetchval(f"select count(*) from {table}") for table in COUNTED}


async def _contents() -> list[dict[str, Any]]:
    return [dict(row) for table in COUNTED for row in await pool().fetch(f"select * from {table} order by 1")]


async def test_it_is_complete_and_marked_as_a_sample(database: str) -> None:
    await sample.seed_sample()
    assert (await Brand.get()).sample
    assert await _counts() == dict(zip(COUNTED, (1, 4, 2, 2, 5, 1, 2), strict=True))
    assert {program.status for program in await Program.all()} == {ProgramStatus.ACTIVE}
    assert tuple(await pool().fetchrow("select client, currency, cash from wallets")) == ("alice", "USD", sample.CASH)


async def test_a_replay_without_quotes_gets_its_money_once_they_are_there(database: str) -> None:
    await make_replay(database)
    await sample.seed_sample()
    assert await _counts() == dict(zip(COUNTED, (1, 4, 2, 2, 5, 0, 0), strict=True))
    await quotes.ingest([a_quote("EURUSD", "1.1", START)])
    await sample.seed_sample()
    assert tuple(await pool().fetchrow("select client, cash from wallets")) == ("alice", sample.CASH)


async def test_each_role_has_a_token_that_works(database: str) -> None:
    texts = await sample.seed_sample()
    assert set(texts) == set(sample.ROLES)
    for role, text in texts.items():
        bearer = await tokens.authenticate(text)
        assert bearer is not None
        assert (bearer.role, bearer.name) == (role, f"sample-{role.lower()}")
    client = await tokens.authenticate(texts["CLIENT"])
    assert client is not None
    assert (client.brand, client.subject) == ("demo", "alice")


async def test_again_it_changes_nothing_and_keeps_its_tokens(database: str) -> None:
    first = await sample.seed_sample()
    await brands.save_brand(ADMIN, name="acme", title="Acme Trading")  # the page's own example
    await groups.update_group(ADMIN, "PROP_DEMO_USD", {"policy": {"leverage_max": Decimal(200)}}, brand="demo")
    await brands.save_brand(ADMIN, name="demo", title="Ours")
    await instruments.update_instrument(ADMIN, "EURUSD", {"quantity_step": Decimal(1), "quantity_min": Decimal(1)})
    await Program.filter(name=sample.PROGRAMS[0].name).update(name="Renamed")
    before = await _contents()
    assert await sample.seed_sample(first) == first
    assert await _contents() == before


async def test_a_token_that_is_lost_is_made_anew_and_one_that_was_ended_is_not(database: str) -> None:
    first = await sample.seed_sample()
    bearer = await tokens.authenticate(first["TRADER"])
    assert bearer is not None
    await tokens.revoke_token(ADMIN, bearer.token_id)
    second = await sample.seed_sample({"ADMIN": first["ADMIN"], "MANAGER": "pd_unknown", "CLIENT": first["FEED"]})
    assert second["ADMIN"] == first["ADMIN"]
    assert "TRADER" not in second
    for role in ("MANAGER", "CLIENT", "FEED"):
        assert await tokens.authenticate(first[role]) is None, role
        issued = await tokens.authenticate(second[role])
        assert issued is not None
        assert issued.role == role


async def test_a_first_start_that_was_cut_short_goes_on(database: str) -> None:
    await brands.save_brand(ADMIN, name="demo", title="Demo (sample data)", sample=True)
    assert set(await sample.seed_sample()) == set(sample.ROLES)
    assert (await _counts())["programs"] == 2


async def test_a_database_with_real_brands_is_not_touched_unless_told(database: str) -> None:
    await brands.save_brand(ADMIN, name="acme", title="Acme")
    assert await sample.seed_sample() == {}
    assert (await _counts())["brands"] == 1
    await sample.seed_sample(beside_real_brands=True)
    assert (await _counts())["brands"] == 2


def test_it_has_the_groups_that_the_presets_name() -> None:
    named = {step["accountGroup"] for preset in presets.all_presets() for step in preset.program["steps"]}
    assert named == set(sample.GROUPS)


@pytest.mark.parametrize("draft", sample.PROGRAMS, ids=lambda draft: draft.name)
def test_its_programs_share_the_profit(draft: Draft) -> None:
    assert draft.profit_split > 0
