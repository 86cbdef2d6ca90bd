"""Isolation of brands, generated from the schema: objects of another brand are answered like missing ones.

The tests use any id, in any field, through any object, over HTTP and websockets.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import GraphQLNonNull, GraphQLObjectType, is_required_argument
from websockets.asyncio.client import connect

from schema.engine.permissions import roles_of
from schema.engine.strawberry_internals import definition_of
from services.principals import Role
from services.unit_of_work.openings import transaction
from tests.api.clients import TRANSPORT, Api, stamped
from tests.api.generated import GRAPHQL, Path, everything, least, leaves, planted, root_field, roots
from tests.api.streams import NAME, subscribe
from tests.api.two_brands import Desk, Ids, a_desk
from tests.services.world import totals, value

MISSING = "999999999"
KIND = {  # whose id stands at an `id`; elsewhere the place says it: `walletId`, `orderIds`
    "account": "account", "challenge": "challenge", "decisionAction": "action", "program": "program",
    "purchase": "purchase", "approvePayout": "payout", "cancelPayout": "payout", "rejectPayout": "payout",
    "cancelChallenge": "challenge", "deleteProgram": "program", "updateProgram": "program",
    "deletePurchase": "purchase", "refundPurchase": "purchase", "updatePurchase": "purchase",
    "retryJob": "job", "revokeApiToken": "token", "reinstateChallenge": "challenge", "bulkReinstatement": "bulk",
}  # fmt: skip
PLACED = {"orderIds": "filled"}
SCOPES = {("createApiToken", name) for name in ("challenges", "accounts")}  # what a scope names need not be there
STRANGERS = [(Role.MANAGER, "other", None), (Role.CLIENT, "other", "alice"), (Role.CLIENT, "other", "carol"),
             (Role.TRADER, "other", None)]  # fmt: skip
CRAWLERS = [STRANGERS[0], STRANGERS[2]]  # between them they may ask for every list
OUTSIDERS = [
    (Role.CLIENT, "acme", "bob"),
    (Role.TRADER, "acme", None),
]  # the second with a scope that has nothing in it
OPEN = {"program"}  # what every client of a brand sees
Place = tuple[str, str, Path]
"""Kind of operation, root field, and where in its arguments an id stands."""


def places(*kinds: str) -> Iterator[Place]:
    for kind in kinds:
        for name in roots()[kind]:
            for argument, one in root_field(kind, name).args.items():
                for path, scalar in leaves(one.type, (argument,)):
                    if scalar == "ID" and (name, path[-2] if len(path) > 1 else "") not in SCOPES:
                        yield kind, name, path


def allowed(place: Place) -> frozenset[Role]:
    definition = definition_of(root_field(*place[:2]))
    return roles_of(definition) or frozenset()


def kind_at(name: str, path: Path) -> str:
    last = next(part for part in reversed(path) if isinstance(part, str))
    return KIND[name] if last == "id" else PLACED.get(last) or last.removesuffix("s").removesuffix("Id")


def asked(place: Place, role: Role, ids: Ids, given: str) -> tuple[str, dict[str, Any]]:
    """Return the operation with this id at the path, and ids of the client's own brand elsewhere."""
    kind, name, path = place
    field = root_field(kind, name)
    argument = str(path[0])
    needed = {arg: one for arg, one in field.args.items() if isinstance(one.type, GraphQLNonNull) or arg == argument}
    sound = {arg: _sound(name, least(one.type), ids) for arg, one in needed.items() if arg != argument or path[1:]}
    values = sound | {argument: planted(needed[argument].type, sound.get(argument), path[1:], given)}
    values = {arg: found for arg, found in values.items() if arg in needed}
    declared = ", ".join(f"${arg}: {one.type}" for arg, one in needed.items())
    passed = ", ".join(f"{arg}: ${arg}" for arg in needed)
    below = everything(field.type, 0, role) if kind == "query" else "{ userErrors { code message } }"
    return f"{kind} ({declared}) {{ it: {name}({passed}) {below} }}", values


def _sound(name: str, found: Any, ids: Ids) -> Any:
    if not isinstance(found, dict):
        return found
    if name == "buyChallenge":  # which needs a wallet, unless it is paid outside
        found = found | {"walletId": MISSING}
    return {
        key: ids.get(kind_at(name, (key,)), one) if key.lower().endswith("id") else one for key, one in found.items()
    }


@pytest.fixture
async def desk(api: Api) -> Desk:
    return await a_desk(api.database_url)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the limits: documents that select everything are larger than a client's may be."""
    for name in ("TOKENS", "COST", "ALIASES"):
        monkeypatch.setenv(f"PROPDESK_DOCUMENT_{name}_MAX", "100000000")
    for name in ("ADMIN", "MANAGER", "CLIENT", "TRADER", "FEED"):
        monkeypatch.setenv(f"PROPDESK_RATE_{name}", "100000")


async def _answer(api: Api, role: Role, token: str, place: Place, ids: Ids, given: str) -> str:
    """Return the whole answer without the id that was sent."""
    text, variables = asked(place, role, ids, given)
    answer = await api.answer(text, token, **variables)
    errors = [(error["message"], error.get("path"), error["extensions"]) for error in answer.get("errors", ())]
    return re.sub(rf"\b({given}|{given.partition('-')[0]})\b", "", json.dumps([answer.get("data"), errors]))


async def _token(api: Api, role: Role, brand: str, subject: str | None) -> str:
    """Return a token; an outsider's trader token has a scope."""
    token = await api.token(role, brand, subject)
    if role is Role.TRADER and brand == "acme":
        scope = json.dumps({"owners": ["bob"], "challenges": [MISSING]})
        newest = "created_at = (select max(created_at) from tokens)"
        await value(f"update tokens set scope = $1 where {newest} returning id", scope)
    return token


def nobodys(given: str) -> str:
    return f"{MISSING}-1" if "-" in given else MISSING


async def test_every_place_for_an_id_answers_a_stranger_as_if_there_were_no_such_object(api: Api, desk: Desk) -> None:
    await stamped()
    before, tried = await totals(), 0
    for role, brand, subject in STRANGERS + OUTSIDERS:
        token = await _token(api, role, brand, subject)
        for place in places("query", "mutation"):
            kind = kind_at(*place[1:])
            if (brand == "acme" and kind in OPEN) or role not in allowed(place):
                continue
            found = await _answer(api, role, token, place, desk.other, desk.acme[kind])
            missing = await _answer(api, role, token, place, desk.other, nobodys(desk.acme[kind]))
            assert found == missing, (role, brand, place)
            tried += 1
    assert tried > 150
    after = await totals()
    assert {name: after[name] - many for name, many in before.items() if after[name] != many} == {"tokens": 6}
    await _its_own_brand_finds_it(api, desk)


async def _its_own_brand_finds_it(api: Api, desk: Desk) -> None:
    """The brand's own ids at the same paths are found, so the equal answers above are due to the brand."""
    manager = Role.MANAGER, await api.token(Role.MANAGER, "acme")
    client = Role.CLIENT, await api.token(Role.CLIENT, "acme", "alice")
    for place in sorted(places("query", "mutation"), key=lambda place: place[1].startswith("delete")):
        _, name, path = place
        own, bearer = desk.acme[kind_at(name, path)], client if name == "buyChallenge" else manager
        found = await _answer(api, *bearer, place, desk.acme, own)
        assert found != await _answer(api, *bearer, place, desk.acme, nobodys(own)), (place, found)
        assert "NOT_FOUND" not in found, (place, found)


def objects(found: Any) -> Iterator[tuple[str, str]]:
    """Yield type and id of each object in an answer."""
    if isinstance(found, dict):
        if "id" in found:
            yield found["__typename"], found["id"]
        for one in found.values():
            yield from objects(one)
    elif isinstance(found, list):
        for one in found:
            yield from objects(one)


async def _seen(api: Api, role: Role, token: str) -> tuple[set[tuple[str, str]], str]:
    """Return every object reachable from the lists, and the answers' text."""
    seen: set[tuple[str, str]] = set()
    texts = []
    for name in roots()["query"]:
        field = root_field("query", name)
        if any(is_required_argument(one) for one in field.args.values()):
            continue
        answer = await api.answer(f"{{ {name} {everything(field.type, 2, role)} }}", token)
        assert {error["extensions"]["code"] for error in answer.get("errors", ())} <= {"FORBIDDEN"}, answer["errors"]
        seen |= set(objects(answer))
        texts.append(json.dumps(answer))
    return seen, " ".join(texts)


async def test_through_lists_and_whatever_hangs_on_them_nobody_comes_upon_another_brand(api: Api, desk: Desk) -> None:
    ours, _ = await _seen(api, Role.MANAGER, await api.token(Role.MANAGER, "acme"))
    named = {
        name for name, kind in GRAPHQL.type_map.items() if isinstance(kind, GraphQLObjectType) and "id" in kind.fields
    }
    unread = {"ChallengeTick", "ConfirmedPurchase"}  # which no query leads to
    assert {name for name, _ in ours} == named - unread, "there is one of everything to be come upon"
    for role, brand, subject in CRAWLERS + OUTSIDERS:
        theirs, text = await _seen(api, role, await _token(api, role, brand, subject))
        shared = theirs & ours
        of_all = {"QuoteVoid"} | ({"Program", "ProgramStep"} if brand == "acme" else set())
        assert {name for name, _ in shared} <= of_all, shared
        words = {"alice"} if brand == "acme" else {"acme", "alice", "Two phases"}
        assert not [word for word in words - {subject} if word in text], (role, brand)
        assert len({name for name, _ in theirs}) > 8 or brand == "acme", theirs


SUBSCRIPTIONS = {"accountUpdates": ("accountId", "account"), "challengeMetrics": ("challengeId", "challenge")}


async def test_a_subscription_tells_a_stranger_nothing_either(api: Api, desk: Desk) -> None:
    of_the_desk = {"feedEvents"}  # quotes are nobody's secret
    assert {*SUBSCRIPTIONS, "challengeEvents"} == set(roots()["subscription"]) - of_the_desk
    for role, brand, subject in STRANGERS + OUTSIDERS:
        token = await _token(api, role, brand, subject)
        for name, (argument, kind) in SUBSCRIPTIONS.items():
            below = everything(root_field("subscription", name).type, 1, role)
            query = f"subscription ($id: ID!) {{ {name}({argument}: $id) {below} }}"
            told = [await _first(api, token, query, id=key) for key in (desk.acme[kind], MISSING)]
            assert told[0] == told[1], (role, name)
            assert told[0]["payload"]["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_events_tell_a_stranger_of_its_own_and_through_them_of_nothing_else(api: Api, desk: Desk) -> None:
    for brand, ids in (("acme", desk.acme), ("other", desk.other)):  # who gets the second first was not told the first
        async with transaction() as work:
            work.emit(NAME, brand=brand, challenge_id=int(ids["challenge"]), payload={})
    both = {"challengeIds": [desk.acme["challenge"], desk.other["challenge"]], "names": [NAME]}
    for role, subject in ((Role.MANAGER, None), (Role.CLIENT, "carol"), (Role.TRADER, None)):
        below = everything(root_field("subscription", "challengeEvents").type, 2, role)
        query = f'subscription ($f: ChallengeEventFilter) {{ challengeEvents(after: "0", filter: $f) {below} }}'
        async with api.follow(await api.token(role, "other", subject), query, f=both) as follower:
            (event,) = await follower.events(1)
        assert event["challenge"]["id"] == event["challengeId"] == desk.other["challenge"]
        assert "acme" not in json.dumps(event)


async def _first(api: Api, token: str, query: str, **variables: Any) -> Any:
    """Return the first message of a subscription."""
    async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
        await subscribe(socket, token, query, **variables)
        return json.loads(await socket.recv())
