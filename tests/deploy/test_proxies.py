"""deploy/nginx and deploy/caddy in front of real API processes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from config.settings import Settings
from services import brands, tokens
from tests.api.clients import PATIENCE_SECONDS, TRANSPORT, until
from tests.api.streams import emit, subscribe
from tests.deploy.apis import ApiProcess, serving
from tests.deploy.programs import DEPLOY
from tests.deploy.proxies import HOST, Caddy, Nginx, Proxy, running
from tests.services.world import ADMIN

ME = {"query": "{ me { role } }"}
FOLLOW = "subscription ($after: String) { challengeEvents(after: $after) { cursor position } }"
INSIDE = [
    "/metrics",
    "/metrics/",
    "//metrics",
    "/%6detrics",
    "/./metrics",
    "/graphql/../metrics",
    "/readyz",
    "/readyz/",
]
IDLE_SECONDS = 80  # more than either proxy lets a connection be silent


@pytest.fixture(params=[Nginx, Caddy], ids=lambda kind: str(kind.name))
def kind(request: pytest.FixtureRequest) -> type[Proxy]:
    chosen: type[Proxy] = request.param
    return chosen


@pytest.fixture
async def apis(database: str) -> AsyncIterator[list[ApiProcess]]:
    async with serving(database, 2, PROPDESK_RATE_NOBODY="3", PROPDESK_RATE_BURST_SECONDS="1") as found:
        yield found


@pytest.fixture
async def proxy(kind: type[Proxy], apis: list[ApiProcess], tmp_path: Path) -> AsyncIterator[Proxy]:
    async with running(kind(tmp_path, [api.port for api in apis])) as found:
        yield found


async def _token() -> str:
    await brands.save_brand(ADMIN, name="acme", title="acme")
    return await tokens.create_token(role="MANAGER", brand="acme", name="manager", subject=None)


class Subscriber:
    """Follows events through the proxy, and connects again with its cursor where it is closed."""

    def __init__(self, proxy: Proxy, token: str) -> None:
        self.proxy, self.token = proxy, token
        self.positions: list[int] = []
        self.cursor, self.connections = "0", 0

    async def run(self) -> None:
        url = f"{self.proxy.url.replace('https', 'wss', 1)}/graphql"
        while True:
            with suppress(OSError, ConnectionClosed, WebSocketException):
                async with connect(url, subprotocols=[TRANSPORT], ssl=self.proxy.trust, proxy=None) as socket:
                    self.connections += 1
                    await subscribe(socket, self.token, FOLLOW, after=self.cursor)
                    while True:
                        message = json.loads(await socket.recv())
                        event = message["payload"]["data"]["challengeEvents"]
                        self.cursor = event["cursor"]
                        self.positions.append(event["position"])
            await asyncio.sleep(0.05)


@pytest.mark.campaign
async def test_it_passes_on_what_the_desk_answers_and_keeps_inside_what_is_not_for_clients(proxy: Proxy) -> None:
    token = await _token()
    bearer = {"Authorization": f"Bearer {token}"}
    most = Settings().body_bytes_max
    async with proxy.client() as client:
        answer = await client.post("/graphql", json=ME, headers=bearer)
        assert (answer.status_code, answer.json()["data"]) == (200, {"me": {"role": "MANAGER"}})
        assert "max-age" in answer.headers["strict-transport-security"]
        assert answer.headers["x-request-id"]

        for path in INSIDE:  # as written, not as a client would mend it
            url = httpx.URL(proxy.url).copy_with(raw_path=path.encode())
            assert (await client.get(url)).status_code == 404, path

        filled = json.dumps(ME | {"extensions": {"filler": ""}}).encode()
        largest = filled.replace(b'""', b'"%s"' % (b"x" * (most - len(filled))))
        assert len(largest) == most
        json_bearer = bearer | {"Content-Type": "application/json"}
        assert (await client.post("/graphql", content=largest, headers=json_bearer)).status_code == 200
        assert (await client.post("/graphql", content=largest + b" ", headers=json_bearer)).status_code == 413

        longest = "x" * Settings().bearer_characters_max
        refused = await client.post("/graphql", json=ME, headers={"Authorization": f"Bearer {longest}"})
        assert refused.status_code == 401
        assert refused.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    async with httpx.AsyncClient(trust_env=False) as plain:
        moved = await plain.get(f"http://{HOST}:{proxy.plain_port}/graphql?query={{me}}")
        assert moved.status_code in (301, 308)
        assert moved.headers["location"].startswith("https://")


@pytest.mark.campaign
async def test_the_desk_limits_the_clients_own_address_whatever_it_says_of_itself(proxy: Proxy) -> None:
    async def statuses(address: str, **headers: str) -> set[int]:
        async with proxy.client(address) as client:
            return {(await client.post("/graphql", json=ME, headers=headers)).status_code for _ in range(30)}

    assert 429 in await statuses("127.0.0.1")
    async with proxy.client("127.0.0.2") as other:
        assert (await other.post("/graphql", json=ME)).status_code != 429
    lying = {"X-Forwarded-For": "10.1.2.3", "X-Real-IP": "10.1.2.3", "Forwarded": "for=10.1.2.3"}
    assert 429 in await statuses("127.0.0.3", **lying)
    async with proxy.client("127.0.0.3") as liar:
        another = {"X-Forwarded-For": "10.9.9.9, 127.0.0.1"}
        assert (await liar.post("/graphql", json=ME, headers=another)).status_code == 429


@pytest.mark.campaign
async def test_subscribers_miss_nothing_while_the_proxy_reloads_and_an_api_process_dies(
    proxy: Proxy, apis: list[ApiProcess]
) -> None:
    token = await _token()
    subscribers = [Subscriber(proxy, token) for _ in range(4)]
    total = 0

    async def tell(many: int) -> None:
        nonlocal total
        for number in range(many):
            await emit(1, {"number": number})
        total += many
        await until(lambda: all(len(one.positions) >= total for one in subscribers))

    async with asyncio.TaskGroup() as tasks:
        following = [tasks.create_task(subscriber.run()) for subscriber in subscribers]
        await tell(5)
        await proxy.reload()
        await tell(5)
        kept = all(subscriber.connections == 1 for subscriber in subscribers)
        assert kept or not proxy.keeps_sockets_at_reload
        apis[0].process.kill()
        await apis[0].process.wait()
        async with proxy.client() as client, asyncio.timeout(PATIENCE_SECONDS):  # what it was sending then is lost
            while (await client.post("/graphql", json=ME, headers={"Authorization": f"Bearer {token}"})).is_error:
                await asyncio.sleep(0.1)
        await tell(5)
        for task in following:
            task.cancel()
    assert all(one.positions == list(range(1, total + 1)) for one in subscribers)


@pytest.mark.campaign
async def test_a_socket_on_which_nothing_happens_stays_open(proxy: Proxy) -> None:
    subscriber = Subscriber(proxy, await _token())
    following = asyncio.create_task(subscriber.run())
    await until(lambda: subscriber.connections == 1)
    await asyncio.sleep(IDLE_SECONDS)
    await emit(1, {"number": 1})
    await until(lambda: len(subscriber.positions) == 1)
    following.cancel()
    assert subscriber.connections == 1


def test_their_limits_are_those_of_the_settings() -> None:
    settings = Settings()
    nginx = (DEPLOY / "nginx" / "propdesk.conf").read_text()
    caddy = (DEPLOY / "caddy" / "Caddyfile").read_text()
    assert settings.body_bytes_max == 1 << 20
    assert "client_max_body_size 1m;" in nginx
    assert "max_size 1MiB" in caddy
    head, body = f"{settings.head_seconds_max:g}s", f"{settings.body_seconds_max:g}s"
    assert f"client_header_timeout {head};" in nginx
    assert f"client_body_timeout {body};" in nginx
    assert f"read_header {head}" in caddy
    assert f"read_body {body}" in caddy
