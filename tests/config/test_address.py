"""One address in the shapes its readers want."""

import pytest

from config.address import asyncpg_parameters, libpq_parameters, sibling, spoken
from config.errors import Problem

SOCKET = "postgresql://postgres@/propdesk?host=/var/lib/propdesk/postgres"


def test_a_socket_directory_in_the_query_is_the_host() -> None:
    assert libpq_parameters(SOCKET) == {"user": "postgres", "dbname": "propdesk", "host": "/var/lib/propdesk/postgres"}
    assert asyncpg_parameters(SOCKET)["database"] == "propdesk"


def test_a_password_is_decoded_once_and_never_spoken() -> None:
    url = "postgresql://me:a%25b%40c@db:6432/desk?sslmode=require"
    assert asyncpg_parameters(url)["password"] == "a%b@c"
    assert asyncpg_parameters(url)["ssl"] == "require"
    assert spoken(url) == "db:6432/desk"


def test_a_sibling_differs_by_its_database_alone() -> None:
    assert sibling(SOCKET, "other") == SOCKET.replace("/propdesk?", "/other?")


@pytest.mark.parametrize(
    "url", ["redis://localhost", "desk", "postgresql://db/desk?colour=red", "postgresql://db/desk?connect_timeout=3"]
)
def test_what_is_no_address_of_postgresql_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(Problem, match="DATABASE_URL") as refused:
        asyncpg_parameters(url)
    assert "\n" not in str(refused.value)
