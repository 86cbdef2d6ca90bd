"""A process on a host whose cable is cut: it says what each of its connections does, and when each notices.

Prints `ready`, then a line for each connection that was lost: its name and the seconds since the first line.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable

from config import broker as brokers
from config.broker_postgres import PostgresWakeUps
from config.database import close_database, control_pool, open_database, pool
from config.sessions import open_session
from services.unit_of_work.openings import transaction

FOR_EVER = "select pg_sleep(600)"


async def main(url: str) -> None:
    """Have one connection of each kind: with a statement under way, in a transaction, listening, idle."""
    await open_database(url, pool_size=5, name="sleeper")
    await pool().fetchval("select 1")
    listening = await open_session(url, process="listener")
    lost = asyncio.Event()
    listening.add_termination_listener(lambda _: lost.set())
    await listening.add_listener("anything", lambda *_: None)
    began = asyncio.Event()
    in_transaction = asyncio.create_task(_in_transaction(began))
    await asyncio.wait([in_transaction, asyncio.create_task(began.wait())], return_when=asyncio.FIRST_COMPLETED)
    noticing = [
        _told("a statement under way", pool().fetchval(FOR_EVER)),
        _told("a statement of the control pool", control_pool().fetchval(FOR_EVER)),
        _told("a connection that listens", lost.wait()),
        _told("a broker's connection", asyncio.to_thread(_of_the_broker, url)),
        _told("a transaction", in_transaction),
    ]
    tasks = [asyncio.create_task(one) for one in noticing]
    await asyncio.sleep(1)  # so that each of them is under way
    global _started
    _started = time.monotonic()
    print("ready", flush=True)
    await asyncio.gather(*tasks)
    await _told("closing the pools", close_database())


_started = 0.0


async def _in_transaction(began: asyncio.Event) -> None:
    """Hold a lock, then go on after the cut."""
    async with transaction() as work:
        await work.conn.execute("lock table heartbeats in exclusive mode")
        began.set()
        await asyncio.sleep(2)
        await work.conn.execute("select 1")


def _of_the_broker(url: str) -> None:
    broker = brokers.connect(url, connections=1, middleware=[])
    assert isinstance(broker, PostgresWakeUps)
    with broker.pool.connection() as conn:
        conn.execute("listen anything")
        conn.commit()
        list(conn.notifies())


async def _told(name: str, connection: Awaitable[object]) -> None:
    try:
        await connection
        how = "ended"
    except Exception as error:  # noqa: BLE001 - how it shows is what the test reads
        how = type(error).__name__
    print(f"{time.monotonic() - _started:.1f} {name}: {how}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
