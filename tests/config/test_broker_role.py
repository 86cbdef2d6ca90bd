"""The broker's sessions in the desk's own database work as the desk's role, and as no other."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from config import broker, broker_postgres
from config.broker_postgres import PostgresWakeUps


@pytest.fixture
def wake_ups(empty_database: str) -> Iterator[PostgresWakeUps]:
    made = broker.connect(empty_database, connections=2, middleware=[], is_database=True)
    assert isinstance(made, PostgresWakeUps)
    yield made
    broker.disconnect(made)


def _value(made: PostgresWakeUps, statement: str) -> Any:
    with made.pool.connection() as conn:
        row = conn.execute(statement.encode()).fetchone()
        return row and row[0]


def test_its_sessions_have_the_lesser_role_and_messages_pass(wake_ups: PostgresWakeUps) -> None:
    assert _value(wake_ups, "select current_user::text") == "propdesk_app"
    wake_ups.prepare("jobs")
    wake_ups.enqueue(broker.wake_up("work_queue"))
    assert _value(wake_ups, "select count(*) from dramatiq.queue") == 1


@pytest.mark.parametrize("loss", ["drop schema dramatiq cascade", "revoke all on schema dramatiq from propdesk_app"])
def test_tables_that_were_wiped_or_closed_are_usable_again_and_the_role_stays(
    empty_database: str, wake_ups: PostgresWakeUps, loss: str
) -> None:
    with psycopg.connect(empty_database, autocommit=True) as owner:
        owner.execute(loss.encode())
    wake_ups.prepare("jobs")
    assert _value(wake_ups, "select current_user::text") == "propdesk_app"
    wake_ups.enqueue(broker.wake_up("work_queue"))


def test_a_session_that_does_not_get_the_role_is_not_used(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_postgres, "_TAKE_ROLE", "SELECT %s::text")  # a pooler that drops it
    made = broker.connect(empty_database, connections=1, middleware=[], is_database=True)
    with pytest.raises(broker_postgres.Unavailable, match="work as postgres, not as propdesk_app"):
        _value(made, "select 1")  # type: ignore[arg-type]
    broker.disconnect(made)


def test_a_broker_of_its_own_works_as_its_address_says(empty_database: str) -> None:
    made = broker.connect(empty_database, connections=1, middleware=[])
    assert isinstance(made, PostgresWakeUps)
    assert _value(made, "select current_user::text") == "postgres"
    broker.disconnect(made)
