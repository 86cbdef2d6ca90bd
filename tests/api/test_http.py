"""Requests over HTTP, valid and malformed, and their responses."""

import gzip
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from config.settings import settings
from schema.engine.errors import client_error
from services import brands
from tests.api.clients import Api
from tests.api.operations import CREATE_TOKEN, DEPOSIT, INGEST, SAVE_BRAND, SAVE_INSTRUMENT

JSON = {"Content-Type": "application/json"}
SPECIFIED = "application/graphql-response+json"

NONSENSE: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("no JSON", b"{"),
    ("a number", b"7"),
    ("null", b"null"),
    ("text", b'"query"'),
    ("a list", b"[]"),
    ("a batch", b'[{"query": "{ me { name } }"}]'),
    ("no query", b"{}"),
    ("a query that is none", b'{"query": 7}'),
    ("variables that are none", b'{"query": "{ __typename }", "variables": [1]}'),
    ("a name that is none", b'{"query": "{ __typename }", "operationName": {"a": 1}}'),
    ("no UTF-8", b'{"query": "\xff\xfe"}'),
    ("UTF-16", '{"query": "{ __typename }"}'.encode("utf-16")),
    ("not a number", b'{"query": "{ __typename }", "variables": {"a": NaN}}'),
    ("without end", b'{"query": "{ __typename }", "variables": {"a": -Infinity}}'),
    ("deep", b"[" * 100_000),
    ("deep variables", b'{"query": "{ __typename }", "variables": ' + b'{"a":' * 100_000),
    ("endless digits", b'{"query": "{ __typename }", "variables": {"a": ' + b"9" * 5_000 + b"}}"),
]


async def test_nonsense_is_the_clients_fault(api: Api) -> None:
    for case, body in NONSENSE:
        response = await api.http.post("/graphql", content=body, headers=JSON)
        assert response.status_code == 400, case
        assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT", case


REQUEST_ERRORS: list[tuple[str, dict[str, Any]]] = [
    ("no document", {"query": "{"}),
    ("an unknown field", {"query": "{ nothing }"}),
    ("a variable of another type", {"query": INGEST, "variables": {"input": {"quotes": "none"}}}),
    ("a variable left out", {"query": INGEST}),
    ("an unknown operation", {"query": "{ __typename }", "operationName": "other"}),
    ("no operation", {"query": "fragment F on Query { __typename }"}),
    ("one of two", {"query": "query A { __typename } query B { __typename }"}),
]


async def test_a_request_that_cannot_be_executed_has_no_data(api: Api) -> None:
    for case, body in REQUEST_ERRORS:
        specified = await api.http.post("/graphql", json=body, headers={"Accept": SPECIFIED})
        assert (specified.status_code, specified.headers["content-type"]) == (400, SPECIFIED), case
        plain = await api.http.post("/graphql", json=body)
        assert (plain.status_code, plain.headers["content-type"]) == (200, "application/json"), case
        for response in (specified, plain):
            assert "data" not in response.json(), case
            assert {error["extensions"]["code"] for error in response.json()["errors"]} == {"BAD_USER_INPUT"}, case


async def test_a_body_is_read_up_to_its_limit(api: Api) -> None:
    most = settings().body_bytes_max
    text = b'{"query": "{ __typename }", "x": "' + b"x" * most
    fits = text[: most - 2] + b'"}'
    assert len(fits) == most

    async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1 << 16):
            yield body[start : start + (1 << 16)]

    assert (await api.http.post("/graphql", content=fits, headers=JSON)).status_code == 200
    for large in (fits + b" ", in_pieces(fits + b" "), b" " * 50_000_000):
        response = await api.http.post("/graphql", content=large, headers=JSON)
        assert response.status_code == 413
        assert response.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_compressed_body_is_refused_unread(api: Api) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    response = await api.http.post("/graphql", content=bomb, headers=JSON | {"Content-Encoding": "gzip"})
    assert response.status_code == 415


NUMBERS = [
    ("a number", 1.5, "must be text"),
    ("a whole number", 1, "must be text"),
    ("true", True, "must be text"),
    ("words", "much", "is not a decimal number"),
    ("nothing", "", "is not a decimal number"),
    ("not a number", "NaN", "is not finite"),
    ("without end", "-Infinity", "is not finite"),
    ("nine places", "0.000000001", "decimal places"),
    ("too large", "1" + "0" * 20, "beyond 20 digits"),
    ("spaces", " 1", "is not a plain decimal number"),
]


async def test_a_decimal_is_text_and_nothing_else(api: Api) -> None:
    admin = await api.token("ADMIN")
    for case, value, told in NUMBERS:
        money = {"client": "alice", "currency": "USD", "amount": value, "idempotencyKey": "1"}
        answer = await api.answer(DEPOSIT, admin, input=money)
        assert "data" not in answer, case
        assert told in answer["errors"][0]["message"], case


INSTANTS = [
    ("no offset", "2026-03-02T12:00:00"),
    ("a day", "2026-03-02"),
    ("a number", 1_772_452_800),
    ("no such day", "2026-02-30T12:00:00Z"),
    ("no such hour", "2026-03-02T25:00:00Z"),
    ("before all calendars", "0001-01-01T00:00:00+23:00"),
    ("more behind it", "2026-03-02T12:00:00Z!"),
]


async def test_an_instant_has_its_offset(api: Api) -> None:
    admin = await api.token("ADMIN")
    query = "query ($filter: TransferFilter) { transfers(filter: $filter) { totalCount } }"
    for case, value in INSTANTS:
        assert await api.code(query, admin, filter={"recordedFrom": value}) == "BAD_USER_INPUT", case


async def test_a_decimal_written_in_the_document_is_text_too(api: Api) -> None:
    admin = await api.token("ADMIN")
    for literal in ("1.5", "1", "EUR", "true", "[]", "{}"):
        text = f"""mutation {{ saveInstrument(input: {{ symbol: "A", baseCurrency: "EUR", quoteCurrency: "USD",
          pricePrecision: 5, quantityStep: {literal}, quantityMin: "1" }}) {{ userErrors {{ code }} }} }}"""
        assert await api.code(text, admin) == "BAD_USER_INPUT", literal


async def test_amounts_are_answered_in_plain_notation(api: Api) -> None:
    admin = await api.token("ADMIN")
    instrument = {
        "symbol": "EURUSD",
        "baseCurrency": "EUR",
        "quoteCurrency": "USD",
        "pricePrecision": 5,
        "quantityStep": "1E-8",
        "quantityMin": "100000.00000000",
    }
    saved = (await api.ask(SAVE_INSTRUMENT, admin, input=instrument))["saveInstrument"]
    assert saved["instrument"]["quantityStep"] == "0.00000001"
    found = await api.ask("{ instruments { nodes { quantityMin createdAt } } }", admin)
    assert found["instruments"]["nodes"][0]["quantityMin"] == "100000"
    assert found["instruments"]["nodes"][0]["createdAt"].endswith("+00:00")


async def test_a_refusal_is_a_user_error_that_names_its_field(api: Api) -> None:
    admin = await api.token("ADMIN")
    saved = (await api.ask(SAVE_BRAND, admin, input={"name": "Acme!", "title": "Acme"}))["saveBrand"]
    assert saved["brand"] is None
    assert [error["code"] for error in saved["userErrors"]] == ["INVALID_INPUT"]
    made = (await api.ask(CREATE_TOKEN, admin, input={"role": "CLIENT", "name": "app"}))["createApiToken"]
    assert (made["token"], made["userErrors"][0]["field"]) == (None, "brand")


async def test_what_nobody_foresaw_is_masked_and_logged(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_given: object, **_named: object) -> str:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr(brands, "update_brand", fail)
    with caplog.at_level(logging.ERROR):
        answer = await api.answer(SAVE_BRAND, await api.token("ADMIN"), input={"name": "acme", "title": "Acme"})
    error = answer["errors"][0]
    assert error["extensions"]["code"] == "INTERNAL"
    assert "1234" not in str(answer)
    logged = next(record for record in caplog.records if record.name == client_error.__module__)
    assert logged.exc_info
    assert "1234" in str(logged.exc_info[1])
    assert vars(logged)["request"] == error["extensions"]["requestId"]


async def test_a_token_is_shown_once_and_works(api: Api) -> None:
    admin = await api.token("ADMIN")
    await api.ask(SAVE_BRAND, admin, input={"name": "acme", "title": "Acme"})
    wanted = {"role": "CLIENT", "name": "app", "brand": "acme", "subject": "alice"}
    made = (await api.ask(CREATE_TOKEN, admin, input=wanted))["createApiToken"]
    assert made["token"].startswith(made["apiToken"]["prefix"])
    me = await api.ask("{ me { role brand subject name wallets { totalCount nodes { id } } } }", made["token"])
    wallets = {"totalCount": 0, "nodes": []}
    assert me["me"] == {"role": "CLIENT", "brand": "acme", "subject": "alice", "name": "app", "wallets": wallets}


async def test_the_page_asks_for_nothing_outside(api: Api) -> None:
    page = await api.http.get("/graphql", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "://" not in page.text
