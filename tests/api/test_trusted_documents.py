"""Documents requested by hash, and a desk that executes only trusted documents."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from app.request.parameters import OperationParameters
from app.request.trusted_documents import TrustedDocuments, hash_of
from config.errors import Problem
from config.settings import Settings
from schema.engine.document_limits import KEPT_CHARACTERS_MAX
from schema.engine.errors import UnknownDocument
from tests.api.clients import TRANSPORT, Api, send

ME = "query Me { me { role } }"
TYPENAME = "{ __typename }"
FOLLOW = "subscription { challengeEvents { name } }"
UNKNOWN = "0" * 64
SPECIFIED = {"Accept": "application/graphql-response+json"}


def persisted(digest: str) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}}


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "me.graphql").write_text(ME)
    (tmp_path / "deep" / "follow.gql").write_text(FOLLOW)
    (tmp_path / "README").write_text("no document")
    monkeypatch.setenv("PROPDESK_TRUSTED_DOCUMENTS", str(tmp_path))


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROPDESK_ONLY_TRUSTED_DOCUMENTS", "true")


def test_a_list_is_a_folder_or_a_json_object(tmp_path: Path) -> None:
    listed = tmp_path / "documents.json"
    listed.write_text(json.dumps({hash_of(ME): ME, f"sha256:{hash_of(TYPENAME).upper()}": TYPENAME}))
    assert TrustedDocuments.load(Settings(trusted_documents=listed))
    for text in (
        "{",
        "[]",
        '{"a": "{ __typename }"}',
        json.dumps({hash_of(ME): TYPENAME}),
        json.dumps({hash_of(ME): 7}),
    ):
        listed.write_text(text)
        with pytest.raises(Problem, match="PROPDESK_TRUSTED_DOCUMENTS"):
            TrustedDocuments.load(Settings(trusted_documents=listed))
    with pytest.raises(Problem, match="PROPDESK_TRUSTED_DOCUMENTS"):
        TrustedDocuments.load(Settings(trusted_documents=tmp_path / "missing"))


async def test_a_document_of_the_list_is_asked_for_by_its_hash(listed: None, api: Api) -> None:
    headers = {"Authorization": f"Bearer {await api.token('ADMIN')}"}
    digest = hash_of(ME)
    asked: list[dict[str, Any]] = [
        persisted(digest),
        persisted(digest.upper()),
        {"documentId": digest},
        {"documentId": f"sha256:{digest}"},
        {"query": ME, **persisted(digest)},
        {"query": "", **persisted(digest)},
    ]
    for body in asked:
        posted = await api.http.post("/graphql", json=body, headers=headers)
        got = await api.http.get(
            "/graphql",
            params={name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()},
            headers=headers,
        )
        assert posted.json()["data"] == got.json()["data"] == {"me": {"role": "ADMIN"}}, body


async def test_an_unknown_hash_has_its_own_code(listed: None, api: Api) -> None:
    for body in (persisted(UNKNOWN), {"documentId": UNKNOWN}, {"documentId": ""}, persisted(hash_of(TYPENAME))):
        for headers, status in (({}, 200), (SPECIFIED, 400)):
            response = await api.http.post("/graphql", json=body, headers=headers)
            assert response.status_code == status
            (error,) = response.json()["errors"]
            assert (error["message"], error["extensions"]) == (
                "PersistedQueryNotFound",
                {"code": "PERSISTED_QUERY_NOT_FOUND"},
            )


async def test_a_text_with_its_hash_is_executed_and_then_known_by_its_hash(listed: None, api: Api) -> None:
    digest = hash_of(TYPENAME)
    unknown = await api.http.post("/graphql", json=persisted(digest))
    assert unknown.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    second = await api.http.post("/graphql", json={"query": TYPENAME, **persisted(digest)})
    assert second.json()["data"] == {"__typename": "Query"}
    for body in (persisted(digest), {"documentId": digest}):
        assert (await api.http.post("/graphql", json=body)).json()["data"] == {"__typename": "Query"}
    parameters = {"extensions": json.dumps(persisted(digest)["extensions"])}
    assert (await api.http.get("/graphql", params=parameters)).json()["data"] == {"__typename": "Query"}


def test_what_is_remembered_of_clients_is_bounded() -> None:
    documents = TrustedDocuments({}, remembered_max=2)
    texts = [f"{{ a{place}: __typename }}" for place in range(3)]

    def by_hash(text: str) -> str | None:
        return documents.text(OperationParameters(document_id=hash_of(text)))

    for text in texts[:2]:
        assert documents.text(OperationParameters(query=text, document_id=hash_of(text))) == text
    assert by_hash(texts[0]) == texts[0]  # so the other was used longest ago
    assert documents.text(OperationParameters(query=texts[2], document_id=hash_of(texts[2]))) == texts[2]
    assert [by_hash(text) for text in (texts[0], texts[2])] == [texts[0], texts[2]]
    long = "{ __typename }" + " " * KEPT_CHARACTERS_MAX
    assert documents.text(OperationParameters(query=long, document_id=hash_of(long))) == long
    for forgotten in (texts[1], long):
        with pytest.raises(UnknownDocument):
            by_hash(forgotten)
    none = TrustedDocuments({}, remembered_max=0)
    assert none.text(OperationParameters(query=TYPENAME, document_id=hash_of(TYPENAME))) == TYPENAME
    with pytest.raises(UnknownDocument):
        none.text(OperationParameters(document_id=hash_of(TYPENAME)))


async def test_what_does_not_fit_is_the_clients_fault(listed: None, api: Api) -> None:
    wrong: list[dict[str, Any]] = [
        {"query": TYPENAME, **persisted(hash_of(ME))},
        {"extensions": {"persistedQuery": "x"}},
        {"extensions": {"persistedQuery": {"version": 1}}},
        {"extensions": {"persistedQuery": {"sha256Hash": 7}}},
        {"documentId": 7},
    ]
    for body in wrong:
        response = await api.http.post("/graphql", json=body, headers=SPECIFIED)
        assert response.status_code == 400, body
        assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT", body


async def test_a_desk_may_execute_nothing_else(listed: None, only: None, api: Api) -> None:
    token = await api.token("ADMIN")
    assert await api.ask(ME, token) == {"me": {"role": "ADMIN"}}
    for text in (TYPENAME, f"{ME} ", "{", "{ __schema { description } }"):
        assert await api.code(text, token) == "DOCUMENT_NOT_TRUSTED", text
    second = await api.http.post("/graphql", json={"query": TYPENAME, **persisted(hash_of(TYPENAME))})
    (error,) = second.json()["errors"]
    assert error["message"] == "PersistedQueryNotSupported"
    assert error["extensions"] == {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}
    got = await api.http.get("/graphql", params={"query": TYPENAME}, headers=SPECIFIED)
    assert (got.status_code, got.json()["errors"][0]["extensions"]["code"]) == (400, "DOCUMENT_NOT_TRUSTED")


CASES: list[tuple[dict[str, Any], str | None]] = [
    ({"query": TYPENAME}, "DOCUMENT_NOT_TRUSTED"),
    ({"query": "subscription { challengeEvents { name number } }"}, "DOCUMENT_NOT_TRUSTED"),
    (persisted(UNKNOWN), "PERSISTED_QUERY_NOT_FOUND"),
    ({"query": TYPENAME, **persisted(hash_of(TYPENAME))}, "PERSISTED_QUERY_NOT_SUPPORTED"),
    (persisted(hash_of(TYPENAME)), "PERSISTED_QUERY_NOT_FOUND"),
    ({"documentId": hash_of(ME)}, None),
    (persisted(hash_of(ME)), None),
    ({"query": ME}, None),
]


async def test_a_websocket_is_held_to_the_list_too(listed: None, only: None, api: Api) -> None:
    token = await api.token("ADMIN")
    async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket, asyncio.timeout(30):
        await send(socket, type="connection_init", payload={"authorization": f"Bearer {token}"})
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        for place, (payload, code) in enumerate(CASES):
            await send(socket, type="subscribe", id=str(place), payload=payload)
            told = json.loads(await socket.recv())
            if code is None:
                assert told["payload"]["data"] == {"me": {"role": "ADMIN"}}, payload
                assert json.loads(await socket.recv())["type"] == "complete"
            else:
                assert (told["type"], told["payload"][0]["extensions"]["code"]) == ("error", code), payload
        await send(socket, type="subscribe", id="live", payload={"documentId": hash_of(FOLLOW)})
        await send(socket, type="complete", id="live")
        await send(socket, type="ping")
        assert json.loads(await socket.recv())["type"] == "pong"
