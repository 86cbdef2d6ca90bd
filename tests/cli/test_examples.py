"""The examples work: they follow, trade, come back after a kill, and neither lose nor repeat anything."""

import json
import re
import runpy
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from graphql import build_schema, concat_ast, parse, validate

from services import brands, challenges, events, quotes, tokens
from services.unit_of_work.openings import transaction
from tests.cli.desk import Desk, python, running, serving
from tests.house.sources import ROOT
from tests.services.world import ADMIN, MANAGER, a_quote, a_world, rows, settle, value

EXAMPLES = ROOT / "examples"
SCHEMA = build_schema((ROOT / "schema.graphql").read_text())
WARNING = "prop.challenge.warning"


async def warn(challenge: int, many: int) -> None:
    """Events that come while nobody serves."""
    async with transaction() as work:
        for place in range(many):
            work.emit(WARNING, brand="acme", challenge_id=challenge, payload={"place": place})
    await events.stamp()


@pytest.mark.campaign
async def test_the_bot_survives_the_servers_death_and_its_own(database: str, tmp_path: Path) -> None:
    world = await a_world(database, replay=False)
    challenge, account = await world.buy()
    await quotes.ingest([a_quote("EURUSD", "1.1", await value("select clock_timestamp()"))])
    trader = await tokens.create_token(role="TRADER", brand="acme", name="bot")
    state = tmp_path / "bot.json"

    def kept() -> tuple[int, str]:
        known = json.loads(state.read_text())
        return known["answered"], known["after"]

    def command(desk: Desk, actions: int) -> tuple[str, ...]:
        given = {"url": desk.url, "token": trader, "challenge": challenge, "state": state, "actions": actions}
        named = [f"--{name}={value}" for name, value in given.items()]
        return tuple(python(str(EXAMPLES / "bot.py"), "--pause=0.02", *named))

    async with serving(database) as desk:
        async with running(*command(desk, 6)) as first:
            await first.until(lambda: len(first.of("event")) >= 1 and len(first.of("answer")) >= 2)
            await desk.kill()
            await warn(challenge, 5)
            await desk.start()
            await first.until(lambda: len(first.of("answer")) == 6 and len(first.of("event")) >= 6)
            await first.until(lambda: kept() == (6, first.of("event")[-1]["cursor"]))
            await first.kill()
        await warn(challenge, 3)
        async with running(*command(desk, 10)) as second:
            await second.until(lambda: len(second.of("answer")) >= 4)
            await challenges.cancel_challenge(MANAGER, challenge, "enough")
            await events.stamp()
            assert await second.end() == 0
        await settle()

    told = [event["number"] for event in first.of("event") + second.of("event")]
    assert told == list(range(4, len(told) + 4)), "each event once and in order, behind those of the purchase"
    assert await value("select count(*) from events where challenge_id = $1", challenge) >= len(told) + 3 >= 12
    assert len(first.of("following")) >= 2, "it has come back"
    answered = [answer["actionId"] for answer in first.of("answer") + second.of("answer")]
    assert answered == [str(number) for number in range(1, 11)]
    stored = await rows("select run, action_id from decision_actions where account_id = $1 order by seq", account)
    assert [row["action_id"] for row in stored] == answered, "no action was done twice"
    assert len({row["run"] for row in stored}) == 1


@pytest.mark.parametrize(("held", "proposed"), [("SHORT", "CLOSE SHORT"), ("LONG", "CLOSE LONG"), (None, "OPEN LONG")])
async def test_the_bot_closes_the_side_that_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str | None, proposed: str
) -> None:
    bot_module = runpy.run_path(str(EXAMPLES / "bot.py"))
    options = SimpleNamespace(challenge="1", symbol="EURUSD", notional="10000", state=tmp_path / "bot.json")
    bot = bot_module["Bot"](options, None)
    positions = [{"symbol": "EURUSD", "side": held, "quantity": "1"}] if held else []
    context = {"status": "ACTIVE", "readOnly": False, "blockedUntil": None, "snapshot": {"positions": positions}}

    async def look(_query: str, **_variables: Any) -> dict[str, Any]:
        return {"challenge": {"status": "ACTIVE", "account": {"id": "7", "decisionContext": context}}}

    monkeypatch.setattr(bot, "ask", look)
    [action] = (await bot.next_action())["actions"]
    assert f"{action['action']} {action['side']}" == proposed


async def test_the_node_subscriber_survives_the_servers_death(database: str) -> None:
    node, folder = shutil.which("node"), EXAMPLES / "subscriber"
    if node is None:
        pytest.skip("node is not installed")
    if not (folder / "node_modules" / "graphql-ws").is_dir():
        pytest.skip("graphql-ws is not installed: npm ci --prefix examples/subscriber")
    await brands.save_brand(ADMIN, name="acme", title="Acme")
    manager = await tokens.create_token(role="MANAGER", brand="acme", name="app")
    await warn(1, 3)
    async with serving(database) as desk:
        given = {"PROPDESK_URL": desk.url.replace("http", "ws"), "PROPDESK_TOKEN": manager}
        async with running(node, str(folder / "subscriber.mjs"), **given) as client:
            await client.until(lambda: len(client.of("event")) == 3)
            await desk.kill()
            await warn(2, 4)
            await desk.start()
            await client.until(lambda: len(client.of("event")) == 7)
            await warn(1, 1)
            await client.until(lambda: len(client.of("event")) == 8)
        async with running(node, str(folder / "subscriber.mjs"), **given | {"PROPDESK_TOKEN": "pd_none"}) as stranger:
            assert await stranger.end() == 1, "coming again would not help"
    assert [event["position"] for event in client.of("event")] == list(range(1, 9))


def test_the_example_documents_are_of_the_schema() -> None:
    documents = concat_ast([parse(path.read_text()) for path in sorted((EXAMPLES / "documents").glob("*.graphql"))])
    assert len(documents.definitions) > 5
    assert not validate(SCHEMA, documents)


def test_the_locks_name_versions_and_hashes_and_no_address() -> None:
    locks = list(EXAMPLES.glob("*/package-lock.json"))
    assert locks
    for lock in locks:
        assert "resolved" not in lock.read_text()
        assert len(re.findall(r'"integrity": "sha512-', lock.read_text())) > 1
