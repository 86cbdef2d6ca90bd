"""The simulated feed as a client: what it posts, and that trouble is told and lived through."""

import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
import typer
from typer.testing import CliRunner

from cli import feed as feeding
from cli.generator import GeneratedQuote
from config.errors import Problem

ROW = GeneratedQuote("EURUSD", Decimal("1.10"), Decimal("1.1001"), datetime(2026, 3, 2, tzinfo=UTC))
URL = "http://desk/graphql"


def answered(answer: httpx.Response | Exception) -> tuple[str | None, list[dict[str, Any]]]:
    """What `post` makes of an answer, and what it sent."""
    sent: list[dict[str, Any]] = []

    def desk(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        if isinstance(answer, Exception):
            raise answer
        return answer

    with httpx.Client(transport=httpx.MockTransport(desk)) as client:
        return feeding.post(client, URL, [ROW]), sent


def taken(*errors: dict[str, str]) -> httpx.Response:
    return httpx.Response(200, json={"data": {"ingestQuotes": {"accepted": 1, "userErrors": list(errors)}}})


def test_quotes_are_sent_as_text_with_an_offset() -> None:
    trouble, (request,) = answered(taken())
    assert trouble is None
    assert request["variables"] == {
        "quotes": [{"symbol": "EURUSD", "bid": "1.1", "ask": "1.1001", "time": "2026-03-02T00:00:00+00:00"}]
    }


TROUBLES: list[tuple[httpx.Response | Exception, str]] = [
    (httpx.ConnectError("refused"), "refused"),
    (httpx.Response(502, text="Bad Gateway"), "502"),
    (httpx.Response(401, json={"data": None, "errors": [{"message": "no such token"}]}), "no such token"),
    (httpx.Response(404, json={"detail": "Not Found"}), "404"),
    (taken({"code": "BUSY", "message": "try again"}), "try again"),
]


@pytest.mark.parametrize(("answer", "told"), TROUBLES)
def test_trouble_is_told_and_not_raised(answer: httpx.Response | Exception, told: str) -> None:
    trouble, _ = answered(answer)
    assert told in (trouble or "")


def test_it_goes_on_after_trouble(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    answers = iter(["down", "down", None, KeyboardInterrupt()])
    times: list[datetime] = []

    def post(_client: httpx.Client, _url: str, rows: list[GeneratedQuote]) -> str | None:
        times.append(rows[0].time)
        time.sleep(0.02)  # longer than the interval: the walk's own clock falls behind
        answer = next(answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(feeding, "post", post)
    with pytest.raises(KeyboardInterrupt), httpx.Client() as client:
        feeding._run(client, URL, seed=1, interval=0.001)  # noqa: SLF001 - the endless loop under `feed`
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert (times[-1] - times[0]).total_seconds() >= 0.06


def test_without_a_token_it_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROPDESK_FEED_TOKEN", raising=False)
    app = typer.Typer()
    app.command()(feeding.feed)
    outcome = CliRunner().invoke(app, [])
    assert isinstance(outcome.exception, Problem)
    assert "PROPDESK_FEED_TOKEN" in str(outcome.exception)
