"""The sample brand: complete, marked, made once, and never among real ones."""

from typing import Any

import pytest

from config.database import pool
from config.errors import Problem
from domain.lifecycles import ProgramStatus
from domain.programs import Draft
from models.tables.brands import Brand
from models.tables.programs import Program
from services import brands, quotes, sample, tokens
from tests.services.builders import ADMIN
from tests.services.world import START, a_quote, make_replay

COUNTED = ("brands", "instruments", "account_groups", "programs", "program_phases", "wallets", "transfers")


async def _counts() -> dict[str, Any]:
    return {table: await pool().fetchval(f"select count(*) from {table}") for table in COUNTED}


async def test_it_is_complete_and_marked_as_a_sample(database: str) -> None:
    await sample.seed()
    assert (await Brand.get()).sample
    assert await _counts() == dict(zip(COUNTED, (1, 4, 2, 2, 5, 1, 2), strict=True))
    assert {program.status for program in await Program.all()} == {ProgramStatus.ACTIVE}
    assert tuple(await pool().fetchrow("select client, currency, cash from wallets")) == ("alice", "USD", sample.CASH)


async def test_a_replay_without_quotes_gets_its_money_once_they_are_there(database: str) -> None:
    await make_replay(database)
    await sample.seed()
    assert await _counts() == dict(zip(COUNTED, (1, 4, 2, 2, 5, 0, 0), strict=True))
    await quotes.ingest([a_quote("EURUSD", "1.1", START)])
    await sample.seed()
    assert tuple(await pool().fetchrow("select client, cash from wallets")) == ("alice", sample.CASH)


async def test_each_role_has_a_token_that_works(database: str) -> None:
    texts = await sample.seed()
    assert set(texts) == set(sample.ROLES)
    for role, text in texts.items():
        bearer = await tokens.authenticate(text)
        assert bearer is not None
        assert (bearer.role, bearer.name) == (role, f"sample-{role.lower()}")
    client = await tokens.authenticate(texts["CLIENT"])
    assert client is not None
    assert (client.brand, client.subject) == ("demo", "alice")


async def test_again_it_makes_nothing_but_fresh_tokens(database: str) -> None:
    first = await sample.seed()
    before = await _counts()
    second = await sample.seed()
    assert await _counts() == before
    assert [await tokens.authenticate(text) for text in first.values()] == [None] * len(sample.ROLES)
    assert None not in [await tokens.authenticate(text) for text in second.values()]


async def test_what_was_changed_in_it_stays(database: str) -> None:
    await sample.seed()
    await Program.filter(name=sample.PROGRAMS[0].name).update(status=int(ProgramStatus.DISABLED))
    await sample.seed()
    assert await Program.filter(status=int(ProgramStatus.DISABLED)).count() == 1
    assert await Program.all().count() == len(sample.PROGRAMS)


async def test_a_database_with_real_brands_is_not_touched_unless_told(database: str) -> None:
    await brands.save(ADMIN, name="acme", title="Acme")
    with pytest.raises(Problem, match="PROPDESK_SAMPLE_DATA"):
        await sample.seed()
    assert (await _counts())["brands"] == 1
    await sample.seed(beside_real_brands=True)
    assert (await _counts())["brands"] == 2


@pytest.mark.parametrize("draft", sample.PROGRAMS, ids=lambda draft: draft.name)
def test_its_programs_share_the_profit(draft: Draft) -> None:
    assert draft.profit_split > 0
