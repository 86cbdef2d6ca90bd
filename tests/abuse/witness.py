"""Another client of the desk, in a process of its own: how long it waits while the desk is attacked."""

import asyncio
import json
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from statistics import quantiles
from typing import Any

import httpx

PAUSE_SECONDS = 0.02
QUERY = json.dumps({"query": "{ me { role challenges(first: 5) { nodes { id status } } } }"})


class Witness:
    """Asks all the time; `seen` tells the milliseconds since it was last asked."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def seen(self) -> dict[str, list[float]]:
        """Return by what was asked the milliseconds that each answer took; refusals are not in it."""
        self._pipe.send(None)
        found: dict[str, list[float]] = self._pipe.recv()
        return found


@contextmanager
def witness(port: int, token: str) -> Iterator[Witness]:
    """A witness as long as the block lasts."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(port, token, theirs), daemon=True)
    process.start()
    try:
        yield Witness(ours)
    finally:
        process.terminate()
        process.join()


def _run(port: int, token: str, pipe: Connection) -> None:
    asyncio.run(_ask(port, token, pipe))


async def _ask(port: int, token: str, pipe: Connection) -> None:
    took: dict[str, list[float]] = {"health": [], "query": []}
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as http:
        while True:
            for name in took:
                began = time.perf_counter()
                try:
                    response = await (
                        http.get("/healthz")
                        if name == "health"
                        else http.post("/graphql", content=QUERY, headers=headers)
                    )
                    answered = response.status_code == 200
                except httpx.HTTPError:
                    answered = True  # after a minute
                if answered:
                    took[name].append((time.perf_counter() - began) * 1000)
            if pipe.poll():
                pipe.recv()
                pipe.send(took)
                took = {name: [] for name in took}
            await asyncio.sleep(PAUSE_SECONDS)


def told(took: list[float]) -> tuple[float, float]:
    """The median and the longest."""
    if len(took) < 2:
        return (took[0], took[0]) if took else (float("nan"), float("nan"))
    return quantiles(took, n=2)[0], max(took)


def row(found: dict[str, Any]) -> str:
    """Median and longest of each, in milliseconds."""
    return "  ".join("{:.1f} {:.0f}".format(*told(found[name])) for name in ("health", "query"))
