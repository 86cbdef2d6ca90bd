"""Attacks a running desk, one class after the other, and prints what each could do to the others.

Each file beside this one that has an `attack` is a class: its NAME, the BEARER that attacks, and
`async def attack(desk, until) -> Tally`, which goes on until that time of the monotonic clock.
"""

import asyncio
import importlib
import os
import pkgutil
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx

from tests.abuse.desk import TIMEOUT_SECONDS, Desk, fill
from tests.abuse.figures import Held, api_process, figure, page, resident
from tests.abuse.search import search
from tests.abuse.witness import Witness, told, witness

HELD_SECONDS_MAX = 0.05  # what no document may exceed, and how often chance may: garbage collection, a page fault
HELD_OFTEN_MAX = 0.002  # of the looks at the loop
QUERY_MS_MAX = 1_000  # the median of another bearer's light query; two cores do all of it
MEMORY_GROWTH_MAX, MEMORY_SLACK = 0.20, 40  # of before, and mebibytes that a warm process may keep besides
QUIET_SECONDS_MAX = 30


def attacks() -> list[ModuleType]:
    """Every class, by the name of its file."""
    names = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    modules = [importlib.import_module(f"tests.abuse.{name}") for name in names if name != "campaign"]
    return [module for module in modules if hasattr(module, "attack")]


async def main(port: int, tokens: dict[str, str], seconds: float, searched: float) -> list[str]:
    """Run all. Return what went wrong, a line each."""
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False
    ) as http:
        desk = Desk(port, tokens, api_process(port), int(os.environ.get("SEED", "1")), http)
        await fill(desk)
        wrong = await search(desk, searched)
        for module in attacks():  # a process that has done all of it once has the memory that it needs for it
            await module.attack(desk, time.monotonic() + seconds)
        await _quiet(desk)
        before = resident(desk.process)
        print(
            f"{'class':44} {'bearer':8} {'health ms':>12} {'query ms':>13} {'loop held':>10} {'MiB':>5} {'flight':>7}"
        )
        with witness(port, tokens["CLIENT"]) as other:
            for module in attacks():
                wrong += await _attack(desk, module, other, seconds)
        await _quiet(desk)
        after = resident(desk.process)
        print(f"memory of the API: {before:.0f} MiB before, {after:.0f} MiB after")
        if after > before * (1 + MEMORY_GROWTH_MAX) + MEMORY_SLACK:
            wrong.append(f"the API keeps {after:.0f} MiB, {before:.0f} before")
        ready = (await http.get("/readyz")).json()
        if ready.get("warnings") or not ready.get("ready", True):
            wrong.append(f"/readyz: {ready}")
        if faults := figure(await page(http), "propdesk_task_faults_total"):
            wrong.append(f"{faults:.0f} faults of supervised tasks")
    return wrong


async def _attack(desk: Desk, module: ModuleType, other: Witness, seconds: float) -> list[str]:
    """One class: prints its row, and returns what exceeded its bound."""
    await _quiet(desk)
    first = Held(await page(desk.http))
    other.seen()
    peak = asyncio.create_task(_peak(desk))
    tally = await module.attack(desk, time.monotonic() + seconds)
    peak.cancel()
    took, text = other.seen(), await page(desk.http)
    held = Held(text).longest_since(first)
    often = Held(text).beyond(first, HELD_SECONDS_MAX)
    health, query = told(took["health"]), told(took["query"])
    most = PEAKS.pop(desk.process, (0.0, 0.0))
    print(
        f"{module.NAME:44} {module.BEARER:8} {health[0]:5.1f} {health[1]:6.0f} {query[0]:6.1f} {query[1]:6.0f} "
        f"{held:5.0f} {often:4} {most[0]:5.0f} {most[1]:7.1f}  {tally}"
    )
    wrong = []
    if query[0] > QUERY_MS_MAX:
        wrong.append(f"{module.NAME}: another bearer's query takes {query[0]:.0f} ms")
    if often > 1 + HELD_OFTEN_MAX * seconds * 100:
        wrong.append(f"{module.NAME}: the loop was held for more than 50 ms {often} times, for {held:.0f} ms at most")
    return wrong


PEAKS: dict[int, tuple[float, float]] = {}
"""By process the most memory and the most bytes in flight, in mebibytes, since somebody began to look."""


async def _peak(desk: Desk) -> None:
    """Note the most memory that the API has, and what is in flight, until cancelled."""
    while True:
        memory, flight = PEAKS.get(desk.process, (0.0, 0.0))
        try:
            now = figure(await page(desk.http), "propdesk_flight_bytes") / (1 << 20)
        except httpx.HTTPError:
            now = 0.0
        PEAKS[desk.process] = max(memory, resident(desk.process)), max(flight, now)
        await asyncio.sleep(0.25)


async def _quiet(desk: Desk) -> None:
    """Wait until nothing is in flight any more, or for a while."""
    until = time.monotonic() + QUIET_SECONDS_MAX
    while time.monotonic() < until and figure(await page(desk.http), "propdesk_flight_bytes"):
        await asyncio.sleep(0.2)


def _run(arguments: list[str]) -> int:
    port, log = int(arguments[0]), Path(arguments[1]).read_text()
    roles = ("ADMIN", "MANAGER", "CLIENT", "TRADER", "FEED")
    tokens: dict[str, Any] = {role: log.split(f"{role} token", 1)[1].split("pd_", 1)[1].split()[0] for role in roles}
    tokens = {role: f"pd_{text}" for role, text in tokens.items()}
    total = float(os.environ.get("SECONDS_MAX", "300"))
    short = bool(os.environ.get("SHORT"))
    classes = len(attacks())
    seconds, searched = (2.0, 5.0) if short else (min(30.0, total / 4 / classes), total / 4)
    wrong = asyncio.run(main(port, tokens, seconds, searched))
    for line in wrong:
        print(f"WRONG: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(_run(sys.argv[1:]))
