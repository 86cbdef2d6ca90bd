"""The throughput of two API processes compared with one, each bound to its own processor.

Client and database take what processors are left, so answers a second would say how many those are: on two cores a
second API process takes them the second core. An answer's processor seconds say what the processes cost each other.
"""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack

import httpx

from tools.bench import harness
from tools.bench.harness import Figure, Server
from tools.bench.http import requests, stretch
from tools.bench.serving import served_bench

CONNECTIONS = 8  # with each process
TARGET = 1.8


def figure(server: Server, token: str, cores: Sequence[int], rounds: int, answers: int) -> Figure:
    """Pages that two processes can answer with a core each, against one."""
    ratios, said = [], []
    with ExitStack() as stack:
        ports = [stack.enter_context(served_bench(server.url, cores[n % len(cores)])) for n in range(2)]
        harness.run(_rates(ports, token, max(1, answers // 5)))
        for _ in range(rounds):
            (alone,) = harness.run(_rates(ports[:1], token, answers))
            both = harness.run(_rates(ports, token, answers))
            ratios.append(sum(both) / alone)
            said.append(f"{sum(both):.0f} : {alone:.0f}")
    return Figure(
        "pages that two API processes answer, a core each",
        "one process",
        tuple(ratios),
        TARGET,
        said=f"{', '.join(said)} a processor second of theirs",
    )


async def _rates(ports: Sequence[int], token: str, answers: int) -> list[float]:
    """Let the processes answer at the same time; return the pages of each for each processor second of its own."""
    request, _ = requests(token)
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        before = [await _processor(client, port) for port in ports]
        await asyncio.gather(*(stretch(port, request, CONNECTIONS, answers) for port in ports))
        after = [await _processor(client, port) for port in ports]
    return [CONNECTIONS * answers / (b - a) for a, b in zip(before, after, strict=True)]


async def _processor(client: httpx.AsyncClient, port: int) -> float:
    answer = await client.get(f"http://127.0.0.1:{port}/processor")
    seconds: float = answer.json()
    return seconds
