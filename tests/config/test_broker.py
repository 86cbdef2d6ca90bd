"""BROKER_URL: which brokers there are, and what is said of an address that is none. Nothing here connects."""

import importlib.util
import logging

import pytest

from config import broker, connection_budget
from config.broker import WORKER_CONNECTIONS, require_supported, shown
from config.broker_link import Link, innermost_reason
from config.errors import Problem
from config.logs import configure_logging
from config.settings import Settings

SECRET = "pa55word"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"kafka://desk:{SECRET}@host", ["'kafka'", "redis://", "amqp://", "postgresql://"]),
        (f"desk:{SECRET}@host", ["scheme"]),
        ("", ["scheme"]),
        (f"redis://:{SECRET}@host/desk", ["Redis", "'desk'"]),
        (f"redis://:{SECRET}@host:99999", ["port"]),
        (f"redis://:{SECRET}/x@host", ["port", "%2F"]),
        (f"redis://:{SECRET}@host?nonsense=1", ["option", "nonsense"]),
        (f"redis://:{SECRET}@host?socket_timeout=soon", ["Redis", "socket_timeout"]),
        (f"amqp://desk:{SECRET}@host?nonsense=1", ["RabbitMQ", "nonsense"]),
        (f"amqp://desk:{SECRET}@host?heartbeat=often", ["RabbitMQ", "heartbeat"]),
        ("amqp://desk@host", ["user", "no password"]),
        (f"amqp://desk:{SECRET}@host:port", ["port"]),
        (f"postgresql://desk:{SECRET}@host?nonsense=1", ["BROKER_URL", "nonsense"]),
    ],
)
def test_an_address_that_cannot_be_used_is_one_line_without_its_password(url: str, words: list[str]) -> None:
    with pytest.raises(Problem) as raised:
        require_supported(url)
    said = str(raised.value)
    assert said.startswith("BROKER_URL")
    assert all(word in said for word in words), said
    assert "\n" not in said
    assert SECRET not in said
    assert SECRET[:4] not in said


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"redis://:{SECRET}@host", "redis://host:6379"),
        (f"rediss://desk:{SECRET}@host:7000/3?ssl_cert_reqs=none", "rediss://host:7000/3"),
        (f"amqp://desk:{SECRET}@host/%2Fdesk", "amqp://host:5672/%2Fdesk"),
        (f"amqps://desk:{SECRET}@[::1]/desk?heartbeat=30", "amqps://[::1]:5671/desk"),
        (f"postgresql://desk:{SECRET}@host/desk", "postgresql://host:5432/desk"),
        (f"postgres://desk:{SECRET}@host/desk", "postgres://host:5432/desk"),
    ],
)
def test_an_address_is_shown_without_its_login(url: str, said: str) -> None:
    require_supported(url)
    assert shown(url) == said


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [("redis://host", "redis", "redis"), ("rediss://host", "redis", "redis"), ("amqp://host", "pika", "rabbitmq")],
)
def test_a_client_that_is_not_installed_is_named_with_its_extra(
    url: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else object())
    with pytest.raises(Problem, match=rf"pip install 'propdesk\[{extra}\]'"):
        require_supported(url)


def test_what_the_address_says_wins_over_our_own_limits() -> None:
    tuned = broker.connect("amqp://host?heartbeat=30", connections=1, middleware=[])
    assert (tuned.parameters[0].heartbeat, tuned.parameters[0].socket_timeout) == (30, 3)  # type: ignore[attr-defined]
    tuned = broker.connect("redis://host?socket_timeout=9", connections=1, middleware=[])
    options = tuned.client.connection_pool.connection_kwargs  # type: ignore[attr-defined]
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (9, 2)


def test_the_database_s_connections_are_those_of_the_broker_where_it_is_the_broker() -> None:
    desk = "postgresql://desk@host/desk"

    def wanted(broker_url: str | None) -> int:
        return connection_budget.connections_wanted(Settings(database_url=desk, broker_url=broker_url))

    assert wanted(None) - wanted("redis://host") == WORKER_CONNECTIONS + 1
    assert wanted("postgresql://broker:secret@host:5432/broker") == wanted(None)
    assert wanted("postgresql://other/broker") == wanted("amqp://host") == wanted("redis://host")


def test_an_outage_is_said_once_and_so_is_its_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", "config")
    link = Link("redis://host:6379")
    for _ in range(3):
        link.lost(ConnectionError("refused"))
        link.reached()
    assert [record.levelname for record in caplog.records] == ["WARNING"], "it has not been well for long"
    monkeypatch.setattr("config.broker_link.STEADY_SECONDS", 0)
    link.reached()
    link.reached()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "redis://host:6379" in caplog.text
    assert "refused" in caplog.text


def test_of_an_error_the_innermost_reason_is_said_in_one_line() -> None:
    assert innermost_reason(RuntimeError(ValueError("what\n  it was."))) == "what it was"
    assert innermost_reason(RuntimeError()) == "RuntimeError"
    assert len(innermost_reason(RuntimeError("x" * 10_000))) < 400


@pytest.mark.parametrize(("level", "are_heard"), [("INFO", False), ("DEBUG", True)])
def test_the_brokers_clients_are_quiet_unless_somebody_debugs(level: str, are_heard: bool, own_logging: None) -> None:
    configure_logging(level, "test")
    names = ["pika.connection", "redis", "dramatiq.brokers.rabbitmq"]
    names += [f"dramatiq.worker.ConsumerThread({queue})" for queue in broker.QUEUES.values()]
    assert {logging.getLogger(name).isEnabledFor(logging.CRITICAL) for name in names} == {are_heard}
