"""The health checks that load balancers and operators use."""

import asyncio
from contextlib import suppress

from config.address import sibling
from config.database import connection
from config.outages import AWAY
from services import periodic, quotes, system
from tests.api.clients import Api
from tests.services.world import a_quote, a_world, another_process, kill_connections, settle, value


async def ready(api: Api) -> tuple[int, dict[str, str]]:
    """Return the status and the missing parts."""
    response = await api.http.get("/readyz")
    return response.status_code, response.json()["missing"]


async def test_a_process_that_answers_is_alive(api: Api) -> None:
    assert (await api.http.get("/healthz")).json() == {"status": "ok"}


async def test_a_desk_with_a_worker_that_keeps_up_is_ready_and_says_how_far_it_is(api: Api) -> None:
    await a_world(api.database_url, replay=False)
    await periodic.run_round("worker")
    response = await api.http.get("/readyz")
    assert response.status_code == 200, response.text
    told = response.json()
    assert (told["status"], told["missing"], told["mode"]) == ("ready", {}, "SYSTEM")
    figures = ("newestBatch", "evaluatedThrough", "lagBatches", "lagSeconds", "queueDepth", "deadJobs", "eventsWaiting")
    assert [told[name] for name in figures] == [1, 1, 0, 0, 0, 0, 0]
    assert told["databaseBytes"] > 1_000_000
    assert 0 <= told["signAgeSeconds"]["worker"] < system.SIGN_SECONDS_MAX


async def test_without_a_living_worker_the_desk_is_not_ready(api: Api) -> None:
    status, missing = await ready(api)
    assert (status, list(missing)) == (503, ["worker"])
    assert "no worker has given a sign" in missing["worker"]
    await periodic.run_round("marker")  # marks, and does no jobs
    assert (await ready(api))[0] == 503
    await periodic.run_round("worker")
    assert await ready(api) == (200, {})
    async with another_process(api.database_url) as other:
        await other.execute("update heartbeats set beat_at = beat_at - interval '16 seconds'")
    status, missing = await ready(api)
    assert (status, list(missing)) == (503, ["worker"])
    assert "the last sign of a worker is" in missing["worker"]


async def test_a_marker_that_is_too_far_behind_makes_the_desk_not_ready(api: Api) -> None:
    world = await a_world(api.database_url)
    await quotes.ingest([a_quote("EURUSD", "1.1", world.at)])
    await quotes.ingest([a_quote("EURUSD", "1.1", world.at)])
    await periodic.run_round("worker")
    response = await api.http.get("/readyz")
    assert (response.status_code, response.json()["lagBatches"]) == (200, 2), "being behind for a moment is no fault"
    async with another_process(api.database_url) as other:
        await other.execute("update batches set recorded_at = recorded_at - interval '61 seconds' where number = 2")
    status, missing = await ready(api)
    assert (status, list(missing)) == (503, ["marker"])
    assert missing["marker"].startswith("2 batches are not judged, the oldest for 6")
    await settle()
    assert await ready(api) == (200, {})


async def test_an_older_schema_makes_the_desk_not_ready(api: Api) -> None:
    await periodic.run_round("worker")
    async with another_process(api.database_url) as other:
        await other.execute("delete from aerich")
    assert await ready(api) == (503, {"migrations": "the schema is older than this program; run: propdesk migrate"})


async def test_a_process_that_runs_goes_on_with_a_newer_schema_and_says_so(api: Api) -> None:
    await periodic.run_round("worker")
    async with another_process(api.database_url) as other:
        await other.execute("insert into aerich values (default, '9_more.py', 'models', '{}')")
    assert await ready(api) == (200, {})
    warnings = (await api.http.get("/readyz")).json()["warnings"]
    assert warnings["schema"] == "newer than this process, by 9_more.py; restart it with that version"


async def test_without_its_database_the_desk_is_not_ready_and_comes_back(api: Api) -> None:
    await periodic.run_round("worker")
    name = await value("select current_database()")
    async with connection(sibling(api.database_url, "postgres")) as other:
        await other.execute(f'alter database "{name}" allow_connections false')
        await other.execute("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1", name)
        status, missing = await ready(api)
        assert (status, list(missing)) == (503, ["database"])
        assert (await api.http.get("/healthz")).status_code == 200, "nothing is mended by ending this process"
        metrics = await api.http.get("/metrics")
        assert (metrics.status_code, "propdesk_database_up 0.0" in metrics.text) == (200, True)
        await other.execute(f'alter database "{name}" allow_connections true')
    async with asyncio.timeout(20):
        while (await ready(api))[0] != 200:
            with suppress(*AWAY):  # the pool's connections may still be the lost ones
                await periodic.run_round("worker")  # its sign from before may be too old by now


async def test_a_lost_connection_is_not_the_databases_absence(api: Api) -> None:
    await periodic.run_round("worker")
    await kill_connections(api.database_url)
    async with asyncio.timeout(20):
        while (await ready(api))[0] != 200:
            await asyncio.sleep(0)


async def test_a_task_that_is_not_well_makes_the_desk_not_ready(api: Api) -> None:
    await periodic.run_round("worker", {"event stamper": "OSError: no space"})
    status, missing = await ready(api)
    assert status == 503
    [(name, fault)] = missing.items()
    assert name.startswith("task of worker-")
    assert name.endswith(": event stamper")
    assert fault == "OSError: no space"
    await periodic.run_round("worker")
    assert await ready(api) == (200, {})
    task = api.supervisor.tasks["tick reader"]
    task.failures, task.fault = 1, "KeyError: 7"
    assert await ready(api) == (503, {"task: tick reader": "KeyError: 7"})
