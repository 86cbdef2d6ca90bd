"""Looks for a document or an input within the limits that holds the event loop: each is sent alone."""

import json
import time

from tests.abuse.desk import Desk, code_of
from tests.abuse.documents import cost_of, made
from tests.abuse.figures import Held, page
from tests.abuse.inputs import bodies

HELD_MS_MAX = 50.0
TIMES = 3  # a document is wrong that does it each time; a collection of garbage comes with one of them
WORST = 5  # are printed


async def search(desk: Desk, seconds: float) -> list[str]:
    """Search for so long. Return a line for each that holds the loop for more than HELD_MS_MAX each time."""
    began = time.monotonic()
    for text in made(desk.ids, desk.seed):
        desk.documents.append(text)
        if time.monotonic() > began + seconds / 2:
            break
    found: list[tuple[float, str, str]] = []
    for name, body in bodies(desk):
        found.append((await _held(desk, "ADMIN", body), name, body[:200].decode()))
    inputs = len(found)
    for text in desk.documents:
        if time.monotonic() > began + seconds:
            break
        body = json.dumps({"query": text}).encode()
        found.append((await _held(desk, "ADMIN", body), f"cost {cost_of(text)}", text))
    tried = len(found) - inputs
    found.sort(reverse=True)
    print(f"{tried} documents of large cost and {inputs} large inputs, each alone; the loop was held for")
    for held, name, text in found[:WORST]:
        print(f"  {held:4.0f} ms: {name}: {text[:120]}")
    return [f"{name} holds the loop for {held:.0f} ms: {text}" for held, name, text in found if held > HELD_MS_MAX]


async def _held(desk: Desk, role: str, body: bytes) -> float:
    """The least of some tries, in milliseconds: the upper end of the bucket in which it was counted."""
    least = float("inf")
    headers = {"Authorization": f"Bearer {desk.tokens[role]}", "Content-Type": "application/json"}
    after = None
    for _ in range(TIMES):
        before = after or Held(await page(desk.http))
        response = await desk.http.post("/graphql", content=body, headers=headers)
        assert code_of(response) != "INTERNAL", response.text[:500]
        after = Held(await page(desk.http))
        least = min(least, after.longest_since(before))
        if least <= HELD_MS_MAX:
            break
    return least
