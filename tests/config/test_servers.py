"""Several servers in one address: a primary, a standby, one that is away, one that never answers."""

import socket
from collections.abc import Iterator
from functools import partial

import psycopg
import pytest

from config import sessions
from config.address import libpq_parameters
from config.asyncpg_internals import socket_of
from config.database import connection, migrate, open_database
from config.errors import Problem
from config.sessions import Unreachable, open_session
from tests.cluster.postgres import Cluster, free_port

STANDBY = "select pg_is_in_recovery()"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as cluster:
        cluster.start(standbys=1)
        yield cluster


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port at which somebody listens who never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def _url(*ports: int, options: str = "connect_timeout=1") -> str:
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"postgresql://postgres:s3cret@{hosts}/propdesk?{options}"


@pytest.mark.parametrize("options", ["", "target_session_attrs=read-write", "target_session_attrs=primary"])
async def test_the_primary_is_found_wherever_it_stands(cluster: Cluster, silent_port: int, options: str) -> None:
    standby, primary = cluster.standbys[0].port, cluster.primary.port
    orders = [(standby, primary), (primary, standby), (free_port(), primary)]
    for ports in [*orders, *([] if options else [(silent_port, standby, primary)])]:
        url = _url(*ports, options=f"connect_timeout=2&{options}")
        async with connection(url) as conn:
            assert await conn.fetchval(STANDBY) is False
        with psycopg.connect("", **libpq_parameters(url)) as by_psycopg:
            assert by_psycopg.execute(STANDBY).fetchone() == (False,)


async def test_an_address_of_a_standby_alone_is_refused_in_one_line(cluster: Cluster) -> None:
    url = _url(cluster.standbys[0].port)
    for attempt in (migrate, partial(open_database, pool_size=2, name="test")):
        with pytest.raises(Problem, match="a standby, in recovery") as refused:
            await attempt(url)
        assert "\n" not in str(refused.value)
        assert "s3cret" not in str(refused.value)


async def test_what_each_server_said_is_in_one_line_without_the_password(cluster: Cluster, silent_port: int) -> None:
    away = free_port()
    with pytest.raises(Problem) as refused:
        await migrate(_url(away, cluster.standbys[0].port, silent_port))
    message = str(refused.value)
    assert f"127.0.0.1:{silent_port}: no answer within 1 s" in message
    assert f"127.0.0.1:{away}: " in message
    assert f"127.0.0.1:{cluster.standbys[0].port}: the server is a standby" in message
    assert "\n" not in message
    assert "s3cret" not in message


async def test_reads_go_to_the_server_that_the_address_asks_for(cluster: Cluster) -> None:
    both = cluster.primary.port, cluster.standbys[0].port
    for target, recovers in (("standby", True), ("prefer-standby", True), ("read-only", True), ("any", False)):
        url = _url(*both, options=f"target_session_attrs={target}")
        conn = await open_session(url, process="test", role=None, writes=False)
        assert await conn.fetchval(STANDBY) is recovers
        await conn.close()
    url = _url(cluster.primary.port, options="target_session_attrs=prefer-standby")
    await (await open_session(url, process="test", role=None, writes=False)).close()
    with pytest.raises(Unreachable, match="is a primary, and a standby one is needed"):
        await open_session(
            _url(cluster.primary.port, options="target_session_attrs=standby"), process="test", writes=False
        )


@pytest.mark.parametrize("target", ["standby", "read-only", "prefer-standby"])
async def test_the_desk_does_not_ask_for_a_standby_to_write_to(cluster: Cluster, target: str) -> None:
    url = _url(cluster.primary.port, options=f"target_session_attrs={target}")
    with pytest.raises(Problem, match="the desk writes there"):
        await open_database(url, pool_size=2, name="test")


async def test_a_primary_that_takes_no_writes_is_refused(cluster: Cluster) -> None:
    url = _url(cluster.primary.port)
    cluster.primary.query("alter database propdesk set default_transaction_read_only = on")
    try:
        with pytest.raises(Problem, match="read-only"):
            async with connection(url):
                pass
    finally:
        cluster.primary.query("alter database propdesk reset default_transaction_read_only")


async def test_a_postgresql_older_than_the_oldest_supported_is_refused_in_one_line(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connection(_url(cluster.primary.port)) as conn:
        assert conn.get_server_version().major >= sessions.VERSION_MIN
    monkeypatch.setattr(sessions, "VERSION_MIN", 99)
    with pytest.raises(Problem, match="the desk needs 99 or newer") as refused:
        await migrate(_url(cluster.primary.port))
    assert "\n" not in str(refused.value)


async def test_a_session_notices_a_server_that_has_gone_without_a_word(cluster: Cluster) -> None:
    conn = await open_session(_url(cluster.primary.port), process="test", role=None, silence_seconds=6)
    peer = socket_of(conn)
    assert peer is not None
    assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    limits = [peer.getsockopt(socket.IPPROTO_TCP, name) for name in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL)]
    assert limits == [3, 1]
    assert await conn.fetchval("select current_setting('tcp_keepalives_idle')") == "3"
    await conn.close()
