"""The client: one answer, or one clear line about why there is none."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cli import client as module
from cli.client import Away, Client, Refusal
from config.errors import Problem

URL = "http://desk/graphql"


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.001)


def a_client(answer: Callable[[httpx.Request], httpx.Response], **options: Any) -> Client:
    return Client(URL, "secret", transport=httpx.MockTransport(answer), **options)


def answering(status: int = 200, **body: Any) -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: httpx.Response(status, json=body)


def an_error(code: str) -> dict[str, Any]:
    return {"message": "No.", "extensions": {"code": code}}


async def test_the_answer_is_the_only_root_field_and_the_token_is_sent() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"data": {"program": {"id": "7"}}})

    async with a_client(answer) as client:
        assert await client.once("query ($id: ID!) { program(id: $id) { id } }", id="7") == {"id": "7"}
    assert seen[0].headers["authorization"] == "Bearer secret"
    assert json.loads(seen[0].content)["variables"] == {"id": "7"}


async def test_user_errors_are_a_refusal_with_their_codes() -> None:
    errors = [{"code": "BUSY", "message": "Try again.", "transient": True}]
    async with a_client(answering(data={"buyChallenge": {"purchase": None, "userErrors": errors}})) as client:
        with pytest.raises(Refusal, match=r"buyChallenge was refused: BUSY: Try again\.") as caught:
            await client.once("mutation { buyChallenge }")
    assert caught.value.codes == ("BUSY",)
    assert caught.value.transient


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        (answering(errors=[an_error("FORBIDDEN")]), Problem, "FORBIDDEN: No.; pass another token"),
        (answering(401, errors=[an_error("UNAUTHENTICATED")]), Problem, "UNAUTHENTICATED: No.; pass another token"),
        (answering(errors=[an_error("BAD_USER_INPUT")]), Problem, "BAD_USER_INPUT: No."),
        (answering(errors=[{"message": "Syntax Error"}]), Problem, "Syntax Error"),
        (answering(data=None, errors=[an_error("INTERNAL")]), Away, "the server failed: No."),
        (answering(503), Away, "answers HTTP 503"),
        (answering(503, errors=[an_error("UNAVAILABLE")]), Away, "answers HTTP 503 (UNAVAILABLE: No.)"),
        (answering(404), Problem, "no GraphQL; is it the address of a desk?"),
        (lambda request: httpx.Response(200, text="<html>"), Problem, "is it the address of a desk?"),
    ],
)
async def test_what_went_wrong_is_one_clear_line(
    answer: Callable[[httpx.Request], httpx.Response], kind: type[Problem], told: str
) -> None:
    async with a_client(answer) as client:
        with pytest.raises(Problem) as caught:
            await client.once("query { me }")
    assert type(caught.value) is kind
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_server_nobody_runs_is_named() -> None:
    async with Client("http://127.0.0.1:9/graphql") as client:
        with pytest.raises(Away, match=r"cannot reach http://127\.0\.0\.1:9/graphql"):
            await client.once("query { me }")


@pytest.mark.parametrize("url", ["desk", "http://", "http://[", "ftp://desk/graphql"])
async def test_an_address_that_is_none_is_named(url: str) -> None:
    async with Client(url) as client:
        with pytest.raises(Problem, match="cannot"):
            await client.once("query { me }")


async def test_a_server_that_restarts_is_waited_for() -> None:
    tries: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(1)
        if len(tries) < 4:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json={"data": {"me": {"name": "ada"}}})

    async with a_client(answer, patience_seconds=5) as client:
        assert await client.ask("query { me { name } }") == {"name": "ada"}
    assert len(tries) == 4


async def test_patience_ends() -> None:
    async with a_client(answering(502), patience_seconds=0.05) as client:
        with pytest.raises(Away, match="HTTP 502"):
            await client.ask("query { me }")
