"""The answers of one brand are the same whether another brand is busy or idle."""

import base64
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from graphql import is_required_argument

from config.database import close_database, create_database, drop_database, open_database
from domain.programs import Draft
from resolvers.main import schema
from schema.engine.document_limits import DocumentLimits
from schema.engine.request_context import Context
from services import actions, admin, events, groups, programs, purchases, tokens, wallets
from services.principals import Principal, Role
from services.views.events import Cursor, Event, EventFilter, missed_events
from services.views.ticks import Watched
from tests.api.generated import everything, root_field, roots
from tests.api.two_brands import a_desk, another_brand, furnish
from tests.conftest import TEMPLATE
from tests.services.winners import FREE, OPEN_ENDED
from tests.services.world import CLIENT, MANAGER, World, a_world, act, an_action, settle

WIDE = DocumentLimits(*[10**9] * 10)
READERS = {
    role: Principal(70, "reader", role, "other", subject)
    for role, subject in ((Role.MANAGER, None), (Role.CLIENT, "carol"), (Role.TRADER, None))
}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
BY_CHANCE = {"prefix", "requestId"}


class Stored:
    """An event source that ends with the newest stored event."""

    async def subscribe(self, principal: Principal, wanted: EventFilter, after: Cursor | None) -> AsyncIterator[Event]:
        for event in await missed_events(principal, wanted, 0, 10**9, 1_000):
            yield event

    async def changes(self, watched: Watched) -> AsyncIterator[None]:
        yield


def _timeless(found: Any, kind: str = "") -> Any:
    """Return the answer without instants of the real clock, hashes of them, and random values."""
    if isinstance(found, dict):
        kind = found.get("__typename", kind)
        return {
            name: "" if name in BY_CHANCE or (name == "hash" and kind == "AuditEvent") else _timeless(one, kind)
            for name, one in found.items()
        }
    if isinstance(found, list):
        return [_timeless(one, kind) for one in found]
    return INSTANT.sub("", found) if isinstance(found, str) else found


def _keys(cursor: str) -> Any:
    return json.loads(base64.b64decode(cursor, altchars=b"-_"))


async def _ask(principal: Principal, text: str) -> Any:
    """Return the data of a query; fields that the role may not use are null."""
    result = await schema.execute(text, context_value=Context(Stored(), principal, limits=WIDE))
    assert {(error.extensions or {}).get("code") for error in result.errors or ()} <= {"FORBIDDEN"}, result.errors
    return result.data


async def _all_that_it_reads() -> dict[str, Any]:
    """Return, for each role, all lists with all their fields and cursors, and the events."""
    found: dict[str, Any] = {}
    for role, principal in READERS.items():
        for name in roots()["query"]:
            field = root_field("query", name)
            if any(is_required_argument(one) for one in field.args.values()):
                continue
            found[f"{role} {name}"] = _timeless(await _ask(principal, f"{{ {name} {everything(field.type, 2)} }}"))
            if "after" in field.args:
                page = (await _ask(principal, f"{{ {name} {{ edges {{ cursor }} }} }}") or {}).get(name)
                found[f"{role} {name} cursors"] = page and _timeless([_keys(one["cursor"]) for one in page["edges"]])
        text = 'subscription { challengeEvents(after: "0") { cursor position number name challengeId payload } }'
        stream: Any = await schema.subscribe(text, context_value=Context(Stored(), principal, limits=WIDE))
        found[f"{role} events"] = [_timeless(result.data) async for result in stream]
    return found


async def _sell(world: World, key: str) -> None:
    """Make the brand acme busy: three clients with three sales each, tokens, groups and programs."""
    for client in "abc":
        name = f"{key}-{client}"
        wallet = await wallets.deposit_to_wallet(MANAGER, client=name, currency="USD", amount=Decimal(2_000), key=name)
        buyer = Principal(3, "app", Role.CLIENT, "acme", name)
        for place in range(3):
            _, challenge = await purchases.buy(buyer, world.program, wallet, f"{name}-{place}")
            await settle()
            await act(await world.account(challenge), "OPEN", action_id=name, quantity="1000")
        await tokens.create_token(role=Role.TRADER, brand="acme", name=name)
        await tokens.create_token(role=Role.ADMIN, brand=None, name=name)
    await groups.save_group(MANAGER, name=f"G{key}", kind="DEMO", currency="USD", deposit=Decimal(5), policy=FREE)
    await programs.create_program(MANAGER, Draft(f"P{key}", Decimal(5), "USD", (OPEN_ENDED,)))
    await admin.create_account(MANAGER, mode="RACE", key=key, owner=CLIENT.subject)
    await events.stamp()


async def _idle(_world: World, _key: str) -> None:
    await events.stamp()


async def _played(url: str, others: Callable[[World, str], Awaitable[None]]) -> dict[str, Any]:
    """Return what the brand other reads after two sales, with acme's work between them."""
    await open_database(url, pool_size=10, name="test")
    try:
        world = await a_world(url, steps=[OPEN_ENDED], policy=FREE)
        await others(world, "first")
        program, wallet = await another_brand()
        await others(world, "second")
        await furnish(url, world, "other", "carol", program, wallet)
        await others(world, "third")
        _, challenge = await purchases.buy(READERS[Role.CLIENT], program, wallet, "another")
        await settle()
        await others(world, "fourth")
        late = an_action(action_id="late")
        await actions.submit(READERS[Role.TRADER], await world.account(challenge), "r2", [late])
        await events.stamp()
        return await _all_that_it_reads()
    finally:
        await close_database()


@asynccontextmanager
async def _a_database(server: str, name: str) -> AsyncIterator[str]:
    url = await create_database(server, name, template=TEMPLATE)
    try:
        yield url
    finally:
        await drop_database(server, name)


async def test_nothing_a_brand_reads_depends_on_how_much_another_does(server: str, testrun_uid: str) -> None:
    found = []
    for name, others in (("idle", _idle), ("busy", _sell)):
        async with _a_database(server, f"{name}_{testrun_uid}") as url:
            found.append(await _played(url, others))
    idle, busy = found
    assert len(idle["MANAGER events"]) > 5
    assert idle["MANAGER challenges"]["challenges"]["nodes"]
    assert idle["MANAGER challenges cursors"]
    for name in idle:
        assert busy[name] == idle[name], name


TIMED = {
    "purchases": ("createdFrom", "createdBefore"),
    "challenges": ("createdFrom", "createdBefore"),
    "payouts": ("createdFrom", "createdBefore"),
    "transfers": ("recordedFrom", "recordedBefore"),
    "auditLog": ("recordedFrom", "recordedBefore"),
}


async def test_a_filter_by_time_finds_a_brands_rows_whatever_numbers_the_others_have(database: str) -> None:
    """Ids rise with time only within one brand."""
    desk = await a_desk(database)
    await _sell(desk.world, "later")
    admin_of_all = Principal(71, "root", Role.ADMIN)
    for name, (since, until) in TIMED.items():
        for principal, brand in ((READERS[Role.MANAGER], ""), (admin_of_all, ', brand: "other"'), (admin_of_all, "")):
            every = f'{since}: "2020-01-01T00:00:00Z", {until}: "2100-01-01T00:00:00Z"'
            asked = [f"filter: {{ {bounds}{brand} }}" for bounds in (every, every.replace("2020", "2099"))]
            all_of_them = asked[0].replace(every, "").replace("{ , ", "{ ")
            found, none, expected = [
                await _ask(principal, f"{{ {name}(first: 100, {one}) {{ nodes {{ id }} }} }}")
                for one in (*asked, all_of_them)
            ]
            assert found == expected, (name, principal.role, brand)
            assert found[name]["nodes"], (name, principal.role, brand)
            assert none == {name: {"nodes": []}}, (name, principal.role, brand)
