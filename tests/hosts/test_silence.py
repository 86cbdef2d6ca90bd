"""Cables that are cut between real hosts: every connection notices, and the locks of who was cut off are free again."""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from config.database import create_database, migrate
from tests.cli.commands import COMMAND, propdesk
from tests.cluster.postgres import OWNER, Server
from tests.cluster.postgres import Cluster as Postgres
from tests.hosts.network import PREFIX, Network, network, run, unavailable
from tests.hosts.site import enter

pytestmark = [pytest.mark.campaign, pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))]

SILENCE_SECONDS = 3
SLACK_SECONDS = 2.5  # TCP's timers are not exact, and the machine is busy
SESSIONS = "select string_agg(application_name || ': ' || query, ', ') from pg_stat_activity where client_addr = '{}'"
LOCK = "begin; lock table heartbeats in exclusive mode nowait; rollback"
FOLLOWING = """
import json, sys, time
from websockets.sync.client import connect
for _ in range(600):
    try:
        socket = connect(f"ws://{sys.argv[1]}:8000/graphql", subprotocols=["graphql-transport-ws"], ping_interval=None)
        break
    except OSError:
        time.sleep(0.1)
socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {sys.argv[2]}"}}))
print(json.loads(socket.recv())["type"], flush=True)
time.sleep(600)
"""
Body = Callable[[Network, Server], None]


def _on_hosts(body: Body) -> None:
    """Run the body on the clients' host, in a thread that ends with it; a database and a desk have hosts beside it."""
    with network("database", "desk", "clients", "guest") as built, ThreadPoolExecutor(1) as thread:
        thread.submit(_with_database, built, body).result()


def _with_database(built: Network, body: Body) -> None:
    enter(built.hosts["clients"])
    files = built.folder / "postgres"
    files.mkdir()
    with Postgres(files) as postgres:
        host = built.hosts["database"]
        postgres.add("database", host.address, host.command(), 5432)
        postgres.start(standbys=0)
        asyncio.run(_migrated(postgres.primary))
        body(built, postgres.primary)


async def _migrated(server: Server) -> None:
    await migrate(await create_database(server.url(OWNER, "postgres"), "desk"))


@contextmanager
def _sleeping(built: Network, server: Server) -> Iterator["subprocess.Popen[bytes]"]:
    """The process whose connections all have something under way."""
    settings = {"PROPDESK_SILENCE_SECONDS_MAX": str(SILENCE_SECONDS)}
    process = built.hosts["desk"].start(
        sys.executable, "-m", "tests.hosts.sleeper", server.url(database="desk"), stdout=subprocess.PIPE,
        env=os.environ | settings,
    )  # fmt: skip
    with process:
        assert process.stdout and process.stdout.readline() == b"ready\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_silent_cut_is_noticed_by_every_connection_at_both_ends() -> None:
    def body(built: Network, server: Server) -> None:
        sessions = SESSIONS.format(built.hosts["desk"].address)
        with _sleeping(built, server) as process:
            assert server.value(sessions).count("propdesk-") >= 4
            with pytest.raises(psycopg.errors.LockNotAvailable):
                server.query(LOCK, "desk")
            built.cut(built.hosts["desk"], built.hosts["database"])
            began = time.monotonic()
            while left := server.value(sessions):
                assert time.monotonic() - began < SILENCE_SECONDS + SLACK_SECONDS, left
                time.sleep(0.05)
            server.query(LOCK, "desk")
            said = process.communicate(timeout=30)[0].decode().splitlines()
        assert len(said) == 6, said
        assert not [line for line in said if float(line.split()[0]) > SILENCE_SECONDS + SLACK_SECONDS], said
        assert [line.rsplit(": ", 1)[1] for line in said].count("ended") == 2, said  # the listener, and closing

    _on_hosts(body)


def test_a_host_without_power_leaves_no_session_and_no_lock() -> None:
    def body(built: Network, server: Server) -> None:
        with _sleeping(built, server):
            built.vanish(built.hosts["desk"])
            began = time.monotonic()
            while left := server.value(SESSIONS.format(built.hosts["desk"].address)):
                assert time.monotonic() - began < SILENCE_SECONDS + SLACK_SECONDS, left
                time.sleep(0.05)
            server.query(LOCK, "desk")

    _on_hosts(body)


def test_a_client_without_power_is_noticed_and_its_websocket_is_gone() -> None:
    def body(built: Network, server: Server) -> None:
        desk, guest = built.hosts["desk"], built.hosts["guest"]
        settings = {
            "DATABASE_URL": server.url(database="desk"),
            "PROPDESK_HOST": desk.address,
            "PROPDESK_CLIENT_SILENCE_SECONDS_MAX": str(SILENCE_SECONDS),
        }
        token = propdesk("token", "--role", "ADMIN", "--name", "guest", **settings).stdout
        found = re.search(r"\bpd_\S+", token)
        assert found, token
        api = desk.start(*COMMAND, "serve", env=os.environ | settings)
        try:
            with guest.start(
                sys.executable, "-c", FOLLOWING, desk.address, found[0], stdout=subprocess.PIPE
            ) as following:
                assert following.stdout and following.stdout.readline() == b"connection_ack\n"
                connections = desk.command("ss", "-Htn", "state", "established", "( sport = :8000 )")
                assert len(run(connections).splitlines()) == 1
                built.vanish(guest)
                began = time.monotonic()
                while run(connections):
                    assert time.monotonic() - began < SILENCE_SECONDS + SLACK_SECONDS, "the websocket is still there"
                    time.sleep(0.05)
        finally:
            api.kill()
            api.wait()

    _on_hosts(body)


def test_what_a_killed_run_has_left_behind_is_removed_and_what_goes_on_is_left_alone() -> None:
    leaving = "import sys, time; from tests.hosts.network import network\nwith network('one', 'other') as built:\n"
    leaving += " built.hosts['one'].start('sleep', '600'); print(built.folder.name, flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", leaving], stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout
        left = killed.stdout.readline().strip()
        assert left.startswith(PREFIX)
        with network("mine") as built:
            assert left in run(["ip", "netns", "list"]), "it goes on"
            killed.kill()
            killed.wait()
            with network("others"):
                names = run(["ip", "netns", "list"])
            assert left not in names
            assert built.folder.name in names
    assert built.folder.name not in run(["ip", "netns", "list"])
    assert not built.folder.exists()
