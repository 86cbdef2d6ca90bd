"""Clients that ask for long answers and do not read them, over many connections."""

import asyncio
import json
import time

from tests.abuse.desk import Desk, Tally

NAME, BEARER = "long answers that nobody reads", "MANAGER"
CONNECTIONS = 60
EACH = 20  # requests over a connection, one behind the other
BUFFER_BYTES = 4096  # that this end keeps of a connection before it stops reading
DOCUMENT = """{ accounts(first: 100) { nodes {
  id balance equity cash policy ledger(first: 100) { nodes { id seq kind amount balanceAfter hash } } } } }"""


async def attack(desk: Desk, until: float) -> Tally:
    """Ask over each connection as often as it takes, and read next to nothing."""
    body = json.dumps({"query": DOCUMENT}).encode()
    request = (
        f"POST /graphql HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer {desk.tokens[BEARER]}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    opened = [await asyncio.open_connection("127.0.0.1", desk.port, limit=BUFFER_BYTES) for _ in range(CONNECTIONS)]
    try:
        for _, writer in opened:
            writer.write(request * EACH)
        await asyncio.sleep(until - time.monotonic())
    finally:
        for _, writer in opened:
            writer.transport.abort()
    tally = Tally()
    tally.answers["asked"] = CONNECTIONS * EACH
    return tally
