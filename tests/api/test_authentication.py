"""Authentication by JWT: whom a valid one stands for, and every way in which one is invalid."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from websockets.exceptions import ConnectionClosed

from app.live.websocket_sessions import ENDED
from app.main import create_app
from app.request.authentication import LEEWAY_SECONDS, Authenticator
from config.settings import Settings
from schema.engine.errors import Busy
from services import brands
from services.principals import Principal, Role
from services.telemetry import KEY_REFUSALS
from tests.api.clients import PATIENCE_SECONDS, Api, until
from tests.services.world import ADMIN

SECRET = "a secret that is long enough to sign with, by whichever of the algorithms"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def claims(**changes: Any) -> dict[str, Any]:
    told = {"sub": "alice", "brand": "acme", "role": "CLIENT", "exp": int(time.time()) + 60} | changes
    return {name: value for name, value in told.items() if value is not None}


def signed(key: Any = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **changes: Any) -> str:
    return "Bearer " + jwt.encode(claims(**changes), key, algorithm=algorithm, headers=headers)


def unsigned(**changes: Any) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims(**changes))]
    return "Bearer " + ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


def nested(head: str) -> str:
    return f"Bearer {base64.urlsafe_b64encode(head.encode()).decode().rstrip('=')}.e30.AA"


@pytest.fixture
async def brand(database: str) -> None:
    await brands.save_brand(ADMIN, name="acme", title="Acme")


def shared(**changes: Any) -> Authenticator:
    return Authenticator(Settings(jwt_secret=SECRET, **changes))


async def test_a_token_of_any_length_is_answered(brand: None) -> None:
    deep = nested("[" * 100_000)
    assert await shared(bearer_characters_max=1_000_000).bearer(deep) is None


async def test_clients_and_managers_may_come_with_one(brand: None) -> None:
    client, manager = Principal(0, "alice", Role.CLIENT, "acme", "alice"), Principal(0, "alice", Role.MANAGER, "acme")
    assert await shared().bearer(signed()) == client
    assert await shared().bearer(signed(role="MANAGER")) == manager
    assert await shared(jwt_audience="desk", jwt_issuer="us").bearer(signed(aud="desk", iss="us")) == client


def past(seconds: int = 0) -> int:
    return int(time.time()) - LEEWAY_SECONDS - 1 - seconds


def future() -> int:
    return int(time.time()) + LEEWAY_SECONDS + 10


async def test_each_way_in_which_it_is_nobodys(brand: None) -> None:
    head, body, mark = signed().split(".")
    for case, header in {
        "no algorithm": unsigned(),
        "another secret": signed("another secret that is long enough, too"),
        "another algorithm": signed(algorithm="HS512"),
        "a public key's": signed(RSA, "RS256"),
        "expired": signed(exp=past()),
        "never expires": signed(exp=None),
        "not yet": signed(nbf=future()),
        "from the future": signed(iat=future()),
        "a role of ours alone": signed(role="ADMIN"),
        "a trader": signed(role="TRADER"),
        "no role": signed(role=None),
        "a brand that is not there": signed(brand="other"),
        "no brand": signed(brand=None),
        "a brand that is none": signed(brand=7),
        "nobody": signed(sub=" "),
        "no subject": signed(sub=None),
        "a changed body": f"{head}.{body[:-2]}{'AA' if body[-2:] != 'AA' else 'BB'}.{mark}",
        "a cut mark": f"{head}.{body}.{mark[:-2]}",
        "nothing": "Bearer ..",
        "noise": "Bearer \ud800.\0.x",
        "an end that is text": signed(exp=str(int(time.time()) + 60)),
        "an end that is a list": signed(exp=[1]),
        "an end that is true": signed(exp=True),
        "an end beyond every year": signed(exp=10**18),
        "an end without end": signed(exp=float("inf")),
        "an end that is no number": signed(exp=float("nan")),
        "a beginning that is a list": signed(nbf=[1]),
        "an issue without end": signed(iat=float("inf")),
        "a subject that is a number": signed(sub=7),
        "a subject that is an object": signed(sub={"a": 1}),
        "a subject that cannot be stored": signed(sub="a\0"),
        "a role that is an object": signed(role={"CLIENT": 1}),
        "a brand that is a list": signed(brand=["acme"]),
        "a brand that cannot be stored": signed(brand="acme\0"),
        "a key's name that is a list": signed(headers={"kid": "x"}).replace(".", "..", 1),
        "a deep head": nested("[" * 100_000),
        "endless digits": nested('{"alg": "HS256", "a": ' + "9" * 5_000 + "}"),
        "too long": signed(note="x" * 9_000),
    }.items():
        assert await shared().bearer(header) is None, case
    assert await shared(jwt_audience="desk").bearer(signed(aud="other")) is None
    assert await shared(jwt_audience="desk").bearer(signed()) is None
    assert await shared(jwt_issuer="us").bearer(signed(iss="them")) is None
    assert await Authenticator(Settings()).bearer(signed()) is None  # nobody signs for this desk


class Keys:
    """A server of public keys that counts its requests."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self.asked = 0
        self.url = ""
        self.open = asyncio.Event()  # while it is not set, the address does not answer
        self.open.set()

    def add(self, name: str, key: rsa.RSAPrivateKey) -> None:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
        self.known[name] = public | {"kid": name, "alg": "RS256", "use": "sig"}

    async def answer(self, request: Request) -> JSONResponse:
        self.asked += 1
        await self.open.wait()
        return JSONResponse({"keys": list(self.known.values())})


@pytest.fixture
async def keys() -> AsyncIterator[Keys]:
    served = Keys()
    app = Starlette(routes=[Route("/keys", served.answer)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    served.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/keys"
    yield served
    served.open.set()
    server.should_exit = True
    await serving


async def test_public_keys_are_fetched_once_and_again_for_a_new_one(
    brand: None, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.request.jwt_keys.RETRY_SECONDS", 0)
    keys.add("first", RSA)
    desk = Authenticator(Settings(jwt_jwks_url=keys.url))
    one = signed(RSA, "RS256", {"kid": "first"})
    found = await asyncio.gather(*(desk.bearer(one) for _ in range(5)))
    assert [bearer.name for bearer in found if bearer] == ["alice"] * 5
    assert keys.asked == 1
    keys.add("second", STRANGER)
    assert await desk.bearer(signed(STRANGER, "RS256", {"kid": "second"}))
    assert keys.asked == 2
    public = RSA.public_key().public_numbers().n.to_bytes(256, "big")
    for case, header in {
        "another's mark": signed(STRANGER, "RS256", {"kid": "first"}),
        "a public key as a secret": signed(public, "HS256", {"kid": "first"}),
        "an algorithm the key is not for": signed(RSA, "PS256", {"kid": "first"}),
        "no such key": signed(RSA, "RS256", {"kid": "third"}),
        "no key named": signed(RSA, "RS256"),
    }.items():
        assert await desk.bearer(header) is None, case


async def test_a_slow_address_holds_up_those_of_an_unknown_key_alone(
    brand: None, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.add("first", RSA)
    desk = Authenticator(Settings(jwt_jwks_url=keys.url, jwt_keys_seconds_max=0.5))
    known = signed(RSA, "RS256", {"kid": "first"})
    assert await desk.bearer(known)
    keys.open.clear()
    monkeypatch.setattr("app.request.jwt_keys.RETRY_SECONDS", 0)
    unknown = asyncio.create_task(desk.bearer(signed(STRANGER, "RS256", {"kid": "second"})))
    await until(lambda: keys.asked == 2)
    assert await desk.bearer(known)
    assert not unknown.done()
    assert await unknown is None
    monkeypatch.setattr("app.request.jwt_keys.KEYS_SECONDS", 0)
    assert await desk.bearer(known)  # its key is old by now, and renewed in the background
    await until(lambda: keys.asked == 3)


async def test_a_caller_that_goes_away_does_not_end_the_fetch_for_the_others(brand: None, keys: Keys) -> None:
    keys.add("first", RSA)
    desk = Authenticator(Settings(jwt_jwks_url=keys.url))
    keys.open.clear()
    first, second = (asyncio.create_task(desk.bearer(signed(RSA, "RS256", {"kid": "first"}))) for _ in range(2))
    await until(lambda: keys.asked == 1)
    first.cancel()
    keys.open.set()
    assert await second
    assert keys.asked == 1


async def test_so_many_wait_for_an_unknown_key_and_no_more(brand: None, keys: Keys) -> None:
    keys.add("first", RSA)
    desk = Authenticator(Settings(jwt_jwks_url=keys.url, jwt_waiting_max=2))
    keys.open.clear()
    unknown = signed(RSA, "RS256", {"kid": "first"})
    waiting = [asyncio.create_task(desk.bearer(unknown)) for _ in range(2)]
    await until(lambda: keys.asked == 1)
    before = KEY_REFUSALS._value.get()  # noqa: SLF001 - it has no other way to be read
    with pytest.raises(Busy, match="2 bearers"):
        await desk.bearer(unknown)
    assert KEY_REFUSALS._value.get() == before + 1  # noqa: SLF001 - as above
    waiting[0].cancel()
    await until(waiting[0].done)
    third = asyncio.create_task(desk.bearer(unknown))  # in the place that has become free
    keys.open.set()
    assert await waiting[1]
    assert await third


async def test_whoever_may_not_wait_is_told_so(keys: Keys) -> None:
    app = create_app(Settings(database_url="postgresql://127.0.0.1:9/none", jwt_jwks_url=keys.url, jwt_waiting_max=1))
    keys.open.clear()
    header = {"Authorization": signed(RSA, "RS256", {"kid": "first"})}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as http:
        first = asyncio.create_task(http.post("/graphql", json={"query": "{ me { role } }"}, headers=header))
        await until(lambda: keys.asked == 1)
        answer = await http.post("/graphql", json={"query": "{ me { role } }"}, headers=header)
        keys.open.set()
        assert (await first).status_code == 401
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["errors"][0]["extensions"] == {"code": "BUSY", "retryAfter": 1.0}


async def test_an_answer_that_is_too_large_or_no_keys_makes_nobody(
    brand: None, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.request.jwt_keys.RETRY_SECONDS", 0)
    keys.add("first", RSA)
    for known in ({"a": {"n": "x" * (2 << 20)}}, {"a": 7}, {"a": {"kty": "oct", "k": "AA", "kid": "first"}}):
        keys.known = known
        desk = Authenticator(Settings(jwt_jwks_url=keys.url))
        assert await desk.bearer(signed(RSA, "RS256", {"kid": "first"})) is None


async def test_an_address_that_does_not_answer_makes_nobody(brand: None) -> None:
    desk = Authenticator(Settings(jwt_jwks_url="http://127.0.0.1:9/keys"))
    assert await desk.bearer(signed(RSA, "RS256", {"kid": "first"})) is None


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROPDESK_JWT_SECRET", SECRET)


async def test_over_http_and_over_a_websocket_that_closes_when_it_expires(secret: None, api: Api) -> None:
    await brands.save_brand(ADMIN, name="acme", title="Acme")
    soon = signed(exp=int(time.time()) + 3).removeprefix("Bearer ")
    assert await api.ask("{ me { role brand subject } }", soon) == {
        "me": {"role": "CLIENT", "brand": "acme", "subject": "alice"}
    }
    async with api.follow(soon, "subscription { challengeEvents { name } }") as follower:
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await follower.socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == ENDED
