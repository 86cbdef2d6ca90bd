"""Metrics: each figure follows the event that it counts, and no client can create a time series."""

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN_CONTEXT, NonRecordingSpan, NoOpTracer, Span, Tracer, TracerProvider
from prometheus_client.parser import text_string_to_metric_families

from app.main import create_app
from config.settings import Settings
from services import ownership, periodic, purchases, quotes
from services.checks import verify
from services.connections import control
from services.jobs import work_queue
from services.ownership import Ownership
from tests.api.clients import Api
from tests.api.operations import SAVE_BRAND, SUBMIT
from tests.services.world import CLIENT, a_quote, a_world, hurry, settle, value
from tools.metric_names import metrics

Series = tuple[str, frozenset[tuple[str, str]]]


class Figures(dict[Series, float]):
    """Scrape; return each sample by name and labels."""

    def of(self, name: str, **labels: str) -> float:
        return self.get((name, frozenset(labels.items())), 0.0)


async def scrape(api: Api) -> Figures:
    response = await api.http.get("/metrics")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(response.text)
    return Figures(
        {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}
    )


async def test_operations_are_timed_by_their_root_field_and_errors_counted_by_code(api: Api) -> None:
    admin = await api.token("ADMIN")
    before = await scrape(api)
    await api.ask("query Anything { me { role } }", admin)
    await api.ask("{ a: me { role } system { mode } }", admin)
    await api.ask(SAVE_BRAND, admin, input={"name": "Acme!", "title": "Acme"})
    await api.answer("{ me { role } }")
    after = await scrape(api)

    def more(name: str, **labels: str) -> float:
        return after.of(name, **labels) - before.of(name, **labels)

    assert more("propdesk_request_seconds_count", operation="query", field="me") == 2
    assert more("propdesk_request_seconds_count", operation="query", field="several") == 1
    assert more("propdesk_request_seconds_count", operation="mutation", field="saveBrand") == 1
    assert more("propdesk_errors_total", operation="query", code="UNAUTHENTICATED") == 1
    assert more("propdesk_refusals_total", code="INVALID_INPUT") == 1
    assert more("propdesk_http_responses_total", path="/graphql", status="200") == 4


async def test_no_word_of_a_client_becomes_a_label(api: Api) -> None:
    word = "wordofaclient"
    await api.answer(f"query {word} {{ {word} }}")
    await api.answer(f"query {word}")
    await api.http.get(f"/{word}")
    await api.http.request(word, "/graphql")
    await quotes.ingest([a_quote(word, "1", (await a_world(api.database_url)).at)])
    assert word not in (await api.http.get("/metrics")).text


async def test_the_desks_work_is_measured(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    world = await a_world(api.database_url, replay=False)
    trader = await api.token("TRADER", "acme")
    before = await scrape(api)
    _, account = await world.buy()
    proposed = [
        {"actionId": "1", "action": "OPEN", "symbol": "EURUSD", "side": "LONG", "quantity": "1000"},
        {"actionId": "2", "action": "HOLD", "symbol": "EURUSD", "side": "LONG", "quantity": "1000"},
    ]
    await api.ask(SUBMIT, trader, input={"accountId": str(account), "runId": "r1", "actions": proposed})
    await quotes.ingest([a_quote("EURUSD", "1.1", await value("select now()")), a_quote("NONE", "1", world.at)])

    async def failing(*_: object) -> str:
        raise RuntimeError

    behind = await scrape(api)
    assert behind.of("propdesk_lag_batches") == 1
    assert behind.of("propdesk_lag_seconds") > 0
    await settle()
    monkeypatch.setitem(work_queue.HANDLERS, "withdraw_fee", failing)
    await purchases.buy(CLIENT, world.program, world.wallet, "k2")
    while await value("select exists (select from jobs where status = 'QUEUED')"):
        await hurry()
        await settle()
    await periodic.run_round("worker")
    after = await scrape(api)

    def more(name: str, **labels: str) -> float:
        return after.of(name, **labels) - before.of(name, **labels)

    assert more("propdesk_action_batch_seconds_count") == 1
    assert more("propdesk_actions_total", status="executed", code="") == 1
    assert more("propdesk_actions_total", status="rejected", code="UNSUPPORTED_ACTION") == 1
    assert more("propdesk_pass_seconds_count", shard="0") >= 1
    assert more("propdesk_job_seconds_count", kind="deposit", outcome="done") == 1
    assert more("propdesk_job_seconds_count", kind="withdraw_fee", outcome="failed") == work_queue.ATTEMPTS_MAX - 1
    assert more("propdesk_job_seconds_count", kind="withdraw_fee", outcome="dead") == 1
    assert more("propdesk_dropped_quotes_total", reason="UNKNOWN_SYMBOL") == 1
    assert more("propdesk_pool_wait_seconds_count") > 10
    assert after.of("propdesk_jobs_dead") == 1
    assert after.of("propdesk_lag_batches") == after.of("propdesk_lag_seconds") == 0
    assert after.of("propdesk_ready") == after.of("propdesk_database_up") == 1
    assert 0 < after.of("propdesk_quote_age_seconds", symbol="EURUSD") < 60
    assert 0 <= after.of("propdesk_sign_age_seconds", kind="worker") < 15
    assert after.of("propdesk_shard_through", shard="0") == after.of("propdesk_newest_batch") == 2
    assert behind.of("propdesk_shard_lag_seconds", shard="0") > 0
    assert (
        after.of("propdesk_shard_lag_seconds", shard="0") == after.of("propdesk_shard_owner", shard="0", owner="") == 0
    )
    used, idle, most = (after.of("propdesk_pool_connections", state=state) for state in ("used", "idle", "most"))
    assert (1 <= used + idle <= most, most) == (True, 10)


async def test_an_events_way_to_its_subscribers_is_measured(api: Api) -> None:
    world = await a_world(api.database_url)
    manager = await api.token("MANAGER", "acme")
    before = await scrape(api)
    async with api.follow(manager, "subscription { challengeEvents { name } }") as follower:
        await follower.socket.ping()
        while (await scrape(api)).of("propdesk_subscribers") != 1:
            pass
        await world.buy()
        events = await follower.events(4)
    after = await scrape(api)
    delay = "propdesk_event_delay_seconds"
    assert after.of(f"{delay}_count") - before.of(f"{delay}_count") >= len(events)
    assert after.of(f"{delay}_sum") - before.of(f"{delay}_sum") > 0
    assert after.of("propdesk_events_stamped_total") - before.of("propdesk_events_stamped_total") >= len(events)


async def test_what_the_newest_check_of_the_books_found_is_told(api: Api) -> None:
    before = await scrape(api)
    assert not [name for name, _ in before if name.startswith("propdesk_verify")]
    async with control() as conn:
        await verify.record_violations(conn, [verify.Violation("cash is accounted for", "account 1", "holds 5, not 4")])
    after = await scrape(api)
    assert after.of("propdesk_verify_violations") == 1
    assert 0 <= after.of("propdesk_verify_age_seconds") < 60
    warnings = (await api.http.get("/readyz")).json()["warnings"]
    assert "1 violations" in warnings["books"]
    async with control() as conn:
        await verify.record_violations(conn, [])
    assert (await scrape(api)).of("propdesk_verify_violations") == 0


async def test_what_is_scraped_is_what_the_list_of_metrics_declares(api: Api) -> None:
    await api.ask("{ me { role } }", await api.token("ADMIN"))
    declared = {metric.name: metric for metric in metrics()}
    families = text_string_to_metric_families((await api.http.get("/metrics")).text)
    ours = [one for one in families if one.name.startswith("propdesk_") and not one.name.endswith("_created")]
    for family in ours:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert declared[name].kind == family.type
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert labels <= set(declared[name].labels)


async def test_it_can_be_switched_off_and_is_so_in_production() -> None:
    secret = secrets.token_urlsafe(48)
    production = Settings(environment="production", jwt_secret=secret, jwt_audience="desk")
    for settings in (Settings(metrics=False), production):
        assert not settings.metrics
        app = create_app(settings.replace(database_url="postgresql://127.0.0.1/none"))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            assert (await http.get("/metrics")).status_code == 404


class Recorded(NonRecordingSpan):
    """A span that keeps its attributes."""

    def __init__(self) -> None:
        super().__init__(INVALID_SPAN_CONTEXT)
        self.name, self.facts, self.ended = "", dict[str, Any](), False

    def set_attribute(self, key: str, value: Any) -> None:
        self.facts[key] = value

    def update_name(self, name: str) -> None:
        self.name = name

    def end(self, end_time: int | None = None) -> None:
        self.ended = True


class Recorder(NoOpTracer, TracerProvider):
    """A stand-in for an operator's OpenTelemetry SDK; it keeps the spans."""

    def __init__(self) -> None:
        self.spans: list[Recorded] = []

    @contextmanager
    def _begun(self) -> Iterator[Span]:
        self.spans.append(span := Recorded())
        with contextlib.suppress(GeneratorExit):
            yield span
        span.end()

    def start_as_current_span(self, name: str, *_: Any, **__: Any) -> Any:
        return self._begun()

    def get_tracer(self, *_: Any, **__: Any) -> Tracer:
        return self


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: recorder)
    return recorder


async def test_each_operation_is_one_span_with_its_name_request_role_and_error(api: Api, recorder: Recorder) -> None:
    admin = await api.token("ADMIN")

    async def span_of(query: str, token: str | None) -> tuple[str, Mapping[str, Any]]:
        headers = {"X-Request-Id": "mine"} | ({"Authorization": f"Bearer {token}"} if token else {})
        await api.http.post("/graphql", json={"query": query}, headers=headers)
        (span,) = recorder.spans
        recorder.spans.clear()
        assert span.ended
        return span.name, span.facts

    name, facts = await span_of("query Who { me { role } }", admin)
    assert (name, facts) == (
        "query me",
        {
            "graphql.operation.name": "Who",
            "graphql.operation.type": "query",
            "propdesk.request_id": "mine",
            "propdesk.role": "ADMIN",
        },
    )
    name, facts = await span_of("{ me { role } }", None)
    assert (facts["propdesk.role"], facts["propdesk.error_code"]) == ("none", "UNAUTHENTICATED")
    name, facts = await span_of("{", None)
    assert (name, facts["propdesk.error_code"]) == ("none none", "BAD_USER_INPUT")
    assert not recorder.spans


async def test_shards_are_shown_with_who_owns_them(api: Api) -> None:
    await ownership.set_shard_count(2)
    world = await a_world(api.database_url)
    admin = await api.token("ADMIN")
    owner = Ownership(api.database_url, "worker-here-1", 5)
    try:
        await owner.keep()
        await quotes.ingest([a_quote("EURUSD", "1.2", world.at + timedelta(minutes=1))])
        await owner.markers[1].drain()
        told = await api.ask("{ system { shards { shard owner through lagSeconds } } }", admin)
        first, second = told["system"]["shards"]
        assert (first.pop("lagSeconds") > 0, second.pop("lagSeconds")) == (True, 0)
        assert first == {"shard": 0, "owner": "worker-here-1", "through": 1}
        assert second == {"shard": 1, "owner": "worker-here-1", "through": 2}
        assert (await scrape(api)).of("propdesk_shard_owner", shard="1", owner="worker-here-1") == 1
    finally:
        await owner.end()
