"""Ticks: the newest state of an account or challenge, for tokens that may see it, until it has ended."""

import asyncio
import json
from decimal import Decimal
from typing import Any

from websockets.asyncio.client import connect

from services import admin, brands
from tests.api.clients import PATIENCE_SECONDS, TRANSPORT, Api, Follower
from tests.api.streams import subscribe
from tests.services.world import ADMIN, MANAGER, a_world, act

METRICS = """subscription ($id: ID!) { challengeMetrics(challengeId: $id) {
  id status phaseIndex accountId batch balance equity dayLow peakEquity
  progress { rule headroom } challenge { id client } account { id seq } } }"""
ACCOUNT = "subscription ($id: ID!) { accountUpdates(accountId: $id) { id status equity seq snapshot { equity } } }"


async def _next(follower: Follower, field: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await follower.next())[field]
    return answer


async def _until(follower: Follower, field: str, **wanted: Any) -> list[dict[str, Any]]:
    """Return the ticks up to one with these figures."""
    found = [await _next(follower, field)]
    while not wanted.items() <= found[-1].items():
        found.append(await _next(follower, field))
    return found


async def _completes(follower: Follower) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert json.loads(await follower.socket.recv()) == {"id": "1", "type": "complete"}


async def test_figures_come_at_once_and_with_each_change_until_the_end(api: Api) -> None:
    world = await a_world(api.database_url)
    challenge, account = await world.buy()
    alice = await api.token("CLIENT", "acme", "alice")
    async with (
        api.follow(alice, METRICS, id=str(challenge)) as metrics,
        api.follow(alice, ACCOUNT, id=str(account)) as updates,
    ):
        first = await _next(metrics, "challengeMetrics")
        named = {"id": str(challenge), "client": "alice"}
        assert (first["challenge"], first["account"]["id"], first["phaseIndex"]) == (named, str(account), 1)
        assert {at["rule"]: Decimal(at["headroom"]) for at in first["progress"]}["MAX_TOTAL_LOSS"] == 10_000
        assert (await _next(updates, "accountUpdates"))["equity"] == first["equity"] == "100000"
        await act(account, "OPEN", action_id="a1", quantity="1000000")
        opened = await _next(updates, "accountUpdates")
        while opened["equity"] == "100000":  # an earlier change of the account, told by itself
            opened = await _next(updates, "accountUpdates")
        assert Decimal(opened["equity"]) < 100_000
        await world.quote("1.10100")
        [*_, marked] = await _until(metrics, "challengeMetrics", batch=2)
        equity = Decimal(opened["equity"]) + 1_000
        assert (Decimal(marked["equity"]), marked["peakEquity"]) == (equity, "100000")
        [*_, seen] = await _until(updates, "accountUpdates", equity=marked["equity"])
        assert seen["snapshot"]["equity"] == marked["equity"]
        await world.quote("1.08000")
        [*_, failed] = await _until(metrics, "challengeMetrics", status="FAILED")
        assert failed["accountId"] == str(account)
        await _completes(metrics)
        await admin.liquidate(MANAGER, account, "over")
        await world.quote("1.08000")
        await _until(updates, "accountUpdates", status="LIQUIDATED")
        await _completes(updates)


async def test_who_may_not_see_it_is_told_what_it_is_told_of_a_missing_one(api: Api) -> None:
    world = await a_world(api.database_url)
    challenge, account = await world.buy()
    await brands.save_brand(ADMIN, name="other", title="Other")
    strangers = [("MANAGER", "other", None), ("CLIENT", "other", "alice"), ("CLIENT", "acme", "bob")]
    for role, brand, subject in strangers:
        token = await api.token(role, brand, subject)
        for query, theirs in ((METRICS, challenge), (ACCOUNT, account)):
            answers = [await _refused(api, token, query, key) for key in (str(theirs), "999999999", "nonsense")]
            assert answers[0]["extensions"]["code"] == "NOT_FOUND"
            assert answers[0] == answers[1] == answers[2]


async def _refused(api: Api, token: str, query: str, key: str) -> dict[str, Any]:
    """Return the only error of the answer."""
    async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
        await subscribe(socket, token, query, id=key)
        answer = json.loads(await socket.recv())
        (error,) = answer["payload"]["errors"]
        found: dict[str, Any] = error
        return found


async def test_who_looks_away_gets_the_newest_and_no_backlog(api: Api) -> None:
    world = await a_world(api.database_url)
    challenge, _ = await world.buy()
    ticks = api.hub.changes(("challenge", challenge))
    await anext(ticks)
    for mid in ("1.10100", "1.10200", "1.10300"):  # while nobody takes a tick
        await world.quote(mid)
        await asyncio.sleep(0.2)
    await anext(ticks)
    late = asyncio.ensure_future(anext(ticks))
    done, _ = await asyncio.wait([late], timeout=0.3)
    late.cancel()
    assert not done, "the three changes are one tick"
