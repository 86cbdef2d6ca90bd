"""GraphQL over HTTP by its specification: the specification's audit, and cases that the audit lacks."""

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest

from tests.api import nodes
from tests.api.clients import Api
from tests.api.operations import SAVE_BRAND

JSON = "application/json"
SPECIFIED = "application/graphql-response+json"
QUERY = {"query": "{ __typename }"}
MUTATION = "mutation { markAllToMarket { accounts } }"


async def test_the_audit_finds_nothing(api: Api) -> None:
    printed = await nodes.run("audit.mjs", str(api.http.base_url.join("/graphql")), needs="graphql-http")
    found = [json.loads(line) for line in printed.splitlines()]
    assert len(found) > 60
    assert [one for one in found if one["status"] != "ok"] == []


ACCEPTED: list[tuple[str | None, str | None]] = [
    (None, JSON),
    ("", JSON),
    ("*/*", JSON),
    ("application/*", JSON),
    (JSON, JSON),
    (SPECIFIED, SPECIFIED),
    (f"{SPECIFIED}, {JSON};q=0.9", SPECIFIED),
    (f"{JSON}, {SPECIFIED}", JSON),
    (f"{SPECIFIED}, {JSON}", SPECIFIED),
    (f"{JSON};q=0.8, {SPECIFIED};q=0.9", SPECIFIED),
    (f"*/*, {SPECIFIED};q=0.5", JSON),
    (f"*/*, {SPECIFIED}", SPECIFIED),
    (f"*/*;q=0.5, {SPECIFIED}", SPECIFIED),
    (f"*/*, {JSON};q=0", SPECIFIED),
    ("text/html, application/*;q=0.1", JSON),
    (f"{SPECIFIED}; charset=utf-8", SPECIFIED),
    (f'{SPECIFIED}; charset="UTF-8"', SPECIFIED),
    (SPECIFIED.upper(), SPECIFIED),
    ("multipart/mixed, application/json", JSON),
    ("text/html", None),
    ("text/event-stream", None),
    ("image/*", None),
    ("application", None),
    (f"{JSON};q=0", None),
    (f"{JSON};q=much", None),
    (f"{JSON};q=2", None),
    (f"{SPECIFIED};charset=latin1", None),
]


async def test_the_answer_has_the_media_type_its_client_likes_best(api: Api) -> None:
    del api.http.headers["accept"]
    for accept, expected in ACCEPTED:
        headers = {} if accept is None else {"Accept": accept}
        response = await api.http.post("/graphql", json=QUERY, headers=headers)
        if expected is None:
            assert response.status_code == 406, accept
            assert "data" not in response.json(), accept
        else:
            assert (response.status_code, response.headers["content-type"]) == (200, expected), accept
        assert "accept" in response.headers["vary"].lower()


async def test_several_accept_headers_are_one_list(api: Api) -> None:
    headers = [("Accept", "text/html"), ("Accept", SPECIFIED), ("Content-Type", JSON)]
    response = await api.http.post("/graphql", content=json.dumps(QUERY), headers=headers)
    assert response.headers["content-type"] == SPECIFIED


async def test_other_methods_are_refused_naming_those_that_are_not(api: Api) -> None:
    for method in ("PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"):
        response = await api.http.request(method, "/graphql")
        assert (response.status_code, response.headers["allow"]) == (405, "GET, POST"), method


async def test_a_mutation_is_not_got_and_not_executed(api: Api) -> None:
    headers = {"Authorization": f"Bearer {await api.token('ADMIN')}"}
    for media_type in (JSON, SPECIFIED):
        got = await api.http.get("/graphql", params={"query": MUTATION}, headers=headers | {"Accept": media_type})
        assert (got.status_code, got.headers["allow"]) == (405, "POST")
        assert "data" not in got.json()
    text = "query Q { __typename } mutation M { markAllToMarket { accounts } }"
    named = await api.http.get("/graphql", params={"query": text, "operationName": "M"}, headers=headers)
    assert named.status_code == 405
    harmless = await api.http.get("/graphql", params={"query": text, "operationName": "Q"}, headers=headers)
    assert harmless.json()["data"] == {"__typename": "Query"}


async def test_a_subscription_is_sent_to_the_websocket(api: Api) -> None:
    for accept in (JSON, SPECIFIED):
        body = {"query": "subscription { challengeEvents { name } }"}
        response = await api.http.post("/graphql", json=body, headers={"Accept": accept})
        assert response.status_code == 400
        assert "graphql-transport-ws" in response.json()["errors"][0]["message"]


async def test_all_parameters_may_stand_in_a_url(api: Api) -> None:
    text = "query A($name: String!) { __type(name: $name) { name } } query B { __typename }"
    given = {
        "query": text,
        "operationName": "A",
        "variables": json.dumps({"name": "Account"}),
        "extensions": json.dumps({"trace": {"id": 1}}),
    }
    assert (await api.http.get("/graphql", params=given)).json()["data"] == {"__type": {"name": "Account"}}
    for name in ("variables", "extensions"):
        for unset in ("", "null"):
            params = {"query": "{ __typename }", name: unset}
            assert (await api.http.get("/graphql", params=params)).status_code == 200, (name, unset)
        for wrong in ("[]", "7", '"text"', "{", "[" * 10_000):
            response = await api.http.get("/graphql", params={"query": "{ __typename }", name: wrong})
            assert response.status_code == 400, (name, wrong)
            assert name in response.json()["errors"][0]["message"]
    for params in ({}, {"operationName": "A"}, {"query": ""}):
        assert (await api.http.get("/graphql", params=params)).status_code == 400


async def test_a_token_that_is_not_valid_is_refused_before_anything_is_executed(api: Api) -> None:
    for header in ("Bearer pd_00000000_made-up", "Bearer", "Basic YTpi", "", "Bearer a.b.c"):
        for media_type in (JSON, SPECIFIED):
            headers = {"Authorization": header, "Accept": media_type}
            response = await api.http.post("/graphql", json=QUERY, headers=headers)
            assert response.status_code == 401, header
            assert response.headers["www-authenticate"].startswith("Bearer")
            assert "data" not in response.json()
            assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert (await api.http.post("/graphql", json=QUERY)).json()["data"] == {"__typename": "Query"}


async def test_a_refused_field_is_an_answer_and_no_request_error(api: Api) -> None:
    response = await api.http.post("/graphql", json={"query": "{ me { role } }"}, headers={"Accept": SPECIFIED})
    assert (response.status_code, response.json()["data"]) == (200, {"me": None})


SIMPLE = [  # what a foreign page may send without asking first, and what is no JSON
    (None, b'{"query": "{ __typename }"}'),
    ("text/plain", b'{"query": "{ __typename }"}'),
    ("text/plain; application/json", b'{"query": "{ __typename }"}'),
    ("application/x-www-form-urlencoded", b"query=%7B__typename%7D"),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="query"\r\n\r\n{a}\r\n--x--'),
    ("application/json; charset=latin1", b'{"query": "{ __typename }"}'),
    ("application/jsonp", b'{"query": "{ __typename }"}'),
    ("application/graphql", b"{ __typename }"),
    ("application/graphql+json", b'{"query": "{ __typename }"}'),
    ("nonsense", b"{}"),
    ("~; ;;=\x22", b"{}"),
]


async def test_a_foreign_page_cannot_send_an_operation_without_being_asked_first(api: Api) -> None:
    for content_type, body in SIMPLE:
        headers = {} if content_type is None else {"Content-Type": content_type}
        response = await api.http.post("/graphql", content=body, headers=headers)
        assert response.status_code == 415, content_type
        assert response.headers["accept-post"] == JSON
    for content_type in ("application/json;charset=UTF-8", "Application/JSON", 'application/json; charset="utf8"'):
        response = await api.http.post("/graphql", json=QUERY, headers={"Content-Type": content_type})
        assert response.status_code == 200, content_type


async def test_a_cookie_is_nobodys_token(api: Api) -> None:
    token = await api.token("ADMIN")
    cookies = dict.fromkeys(("token", "authorization", "session"), token)
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    for response in (
        await api.http.get("/graphql", params={"query": "{ me { role } }"}, headers=headers),
        await api.http.post("/graphql", json={"query": "{ me { role } }"}, headers=headers),
    ):
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert "set-cookie" not in response.headers


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


async def test_a_foreign_page_is_allowed_nothing_by_default(api: Api) -> None:
    foreign = {"Origin": "https://office.example"}
    asked = await api.http.options("/graphql", headers=foreign | PREFLIGHT)
    assert asked.status_code == 400
    answered = await api.http.post("/graphql", json=QUERY, headers=foreign)
    for response in (asked, answered):
        assert "access-control-allow-origin" not in response.headers


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROPDESK_ALLOWED_ORIGINS", "https://office.example, http://localhost:5173")


async def test_the_pages_of_allowed_origins_may_ask(office: None, api: Api) -> None:
    for origin in ("https://office.example", "http://localhost:5173"):
        asked = await api.http.options("/graphql", headers={"Origin": origin} | PREFLIGHT)
        assert asked.status_code == 200
        answered = await api.http.post("/graphql", json=QUERY, headers={"Origin": origin})
        refused = await api.http.post("/graphql", content=b"{", headers={"Origin": origin, "Content-Type": JSON})
        for response in (asked, answered, refused):
            assert response.headers["access-control-allow-origin"] == origin
            assert "access-control-allow-credentials" not in response.headers
    for origin in ("https://office.example.evil.example", "http://office.example", "null"):
        answered = await api.http.post("/graphql", json=QUERY, headers={"Origin": origin})
        assert "access-control-allow-origin" not in answered.headers


async def raw(api: Api, *parts: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection and send these bytes."""
    reader, writer = await asyncio.open_connection(api.http.base_url.host, api.http.base_url.port)
    writer.write(b"\r\n".join((b"POST /graphql HTTP/1.1", b"Host: desk", b"Content-Type: application/json", *parts)))
    await writer.drain()
    return reader, writer


async def test_a_client_that_goes_away_is_no_fault(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        _, writer = await raw(api, b"Content-Length: 100", b"", b'{"query"')
        writer.close()
        await writer.wait_closed()
        assert (await api.http.post("/graphql", json=QUERY)).status_code == 200
    assert not caplog.records


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROPDESK_BODY_SECONDS_MAX", "0.2")


async def test_a_body_has_to_come_in_time(hasty: None, api: Api) -> None:
    reader, writer = await raw(api, b"Content-Length: 100", b"", b'{"query"')
    assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_chunks_that_are_none_are_the_clients_fault(api: Api) -> None:
    reader, writer = await raw(api, b"Transfer-Encoding: chunked", b"", b"nonsense", b"", b"")
    assert (await reader.readline()).startswith(b"HTTP/1.1 4")
    writer.close()


async def test_every_answer_has_a_name_and_is_kept_by_nobody(api: Api) -> None:
    bodies: list[dict[str, Any]] = [QUERY, {"query": "{"}, {}]
    named: list[httpx.Response] = [
        await api.http.post("/graphql", json=body, headers={"X-Request-Id": f"mine-{place}"})
        for place, body in enumerate(bodies)
    ]
    assert [response.headers["x-request-id"] for response in named] == ["mine-0", "mine-1", "mine-2"]
    for response in (*named, await api.http.put("/graphql"), await api.http.get("/graphql")):
        assert response.headers["x-request-id"]
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_fault_before_the_execution_is_masked_too(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_text: str) -> None:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr("services.tokens.authenticate", fail)
    headers = {"Authorization": "Bearer pd_1_2", "X-Request-Id": "mine"}
    response = await api.http.post("/graphql", json={"query": SAVE_BRAND}, headers=headers)
    assert response.status_code == 500
    assert response.json()["errors"][0]["extensions"] == {"code": "INTERNAL", "requestId": "mine"}
    assert "1234" not in response.text
    assert any(vars(record).get("request") == "mine" for record in caplog.records)
