"""Time slices of the event loop: no answer holds the loop, and no bearer's answers delay another's for long."""

import asyncio
import gc
import json
from itertools import count
from typing import Any

import orjson
import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from domain.execution import Moment
from schema.engine import json_writer
from schema.engine.error_masking import mask_errors
from schema.engine.errors import BadUserInput
from schema.engine.json_writer import write_json
from schema.engine.paging import Connection
from schema.engine.request_context import Context, Loaders
from schema.engine.time_slices import SLICE_SECONDS, WOKEN_MAX, TimeSlices
from services import snapshots
from services.principals import Principal, Role
from services.views.lists import PAYOUTS, ListPage, PageRequest, RowCount


async def test_a_slice_is_over_when_its_time_is_and_the_next_begins_when_the_loop_has_been_round() -> None:
    now = 0.0
    slices = TimeSlices(lambda: now)
    assert not slices.is_over()
    now += SLICE_SECONDS / 2
    assert not slices.is_over()
    now += SLICE_SECONDS / 2
    assert slices.is_over()
    await slices.wait("alice")
    assert not slices.is_over()


async def test_the_lines_of_the_bearers_are_served_in_turn() -> None:
    slices, order = TimeSlices(), []

    async def work(bearer: str) -> None:
        await slices.wait(bearer)
        order.append(bearer)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(3 * WOKEN_MAX):
            tasks.create_task(work("hog"))
        tasks.create_task(work("alice"))
        tasks.create_task(work("bob"))
    assert set(order[:3]) == {"hog", "alice", "bob"}
    assert len(order) == 3 * WOKEN_MAX + 2


async def test_no_more_than_some_go_on_in_one_slice_and_a_cancelled_one_takes_nobodys_place() -> None:
    slices, woken, rounds = TimeSlices(), 0, []

    async def work() -> None:
        nonlocal woken
        await slices.wait("hog")
        woken += 1

    tasks = [asyncio.create_task(work()) for _ in range(3 * WOKEN_MAX)]
    await asyncio.sleep(0)
    for task in tasks[:WOKEN_MAX]:
        task.cancel()
    while woken < 2 * WOKEN_MAX:
        before = woken
        await asyncio.sleep(0)
        rounds.append(woken - before)
    assert max(rounds) <= WOKEN_MAX
    await asyncio.gather(*tasks, return_exceptions=True)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=6),
    max_leaves=60,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=5), st.integers(1, 200))
def test_an_answer_written_in_pieces_is_the_answer(data: dict[str, Any], piece: int) -> None:
    async def write() -> list[bytes]:
        context = Context(events=None, cost=1 << 20, slices=TimeSlices(count().__next__))  # type: ignore[arg-type]
        return await write_json({"data": data}, context)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(json_writer, "PIECE_BYTES", piece)
        pieces = asyncio.run(write())
    assert json.loads(b"".join(pieces)) == {"data": data}


async def test_a_long_answer_is_written_in_pieces_and_a_short_one_at_once() -> None:
    rows = [{"id": str(number), "name": "x" * 50} for number in range(10_000)]
    body = {"data": {"rows": rows, "wide": {"rows": rows}}}
    slices = TimeSlices(count().__next__)
    context = Context(events=None, cost=40_000, slices=slices)  # type: ignore[arg-type] # nothing is subscribed to
    pieces = await write_json(body, context)
    assert b"".join(pieces) == orjson.dumps(body)
    assert max(map(len, pieces)) <= 3 * json_writer.PIECE_BYTES
    assert slices.waits >= len(pieces) > 10
    context.cost = 10
    assert len(await write_json({"data": {"rows": rows[:10]}}, context)) == 1


async def test_an_answered_error_keeps_no_frames() -> None:
    def fails() -> None:
        raise ValueError("deep")

    try:
        try:
            fails()
        except ValueError as inner:
            raise BadUserInput("no") from inner
    except BadUserInput as raised:
        error = GraphQLError("no", original_error=raised)
    [left] = mask_errors([error], Context(events=None))  # type: ignore[arg-type] # nothing is subscribed to
    seen: BaseException | None = error
    for _ in range(3):
        assert seen is not None
        assert seen.__traceback__ is None
        seen = getattr(seen, "original_error", None) or seen.__cause__
    assert left.extensions == {"code": "BAD_USER_INPUT"}


async def test_a_reading_that_fails_once_nobody_waits_for_it_is_no_error_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: told.append(about))
    goes_on = asyncio.Event()

    async def fails() -> Moment:
        await goes_on.wait()
        raise ConnectionError("gone")

    monkeypatch.setattr(snapshots, "newest_moment", fails)
    loaders = Loaders(Principal(1, "ada", Role.ADMIN), TimeSlices())
    waiting = asyncio.create_task(loaders.moment())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    goes_on.set()
    for _ in range(3):
        await asyncio.sleep(0)
    del loaders, waiting
    gc.collect()
    assert told == []


async def test_a_count_that_fails_once_nobody_waits_for_it_is_no_error_of_the_loop() -> None:
    logged: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: logged.append(about))
    goes_on = asyncio.Event()

    async def fails() -> RowCount:
        await goes_on.wait()
        raise ConnectionError("gone")

    page = ListPage([])
    connection = Connection[Any](listing=PAYOUTS, page=page, request=PageRequest(1, None, False), count=fails)
    waiting = asyncio.ensure_future(connection._extent())  # noqa: SLF001 - both fields that count wait for it
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    goes_on.set()
    for _ in range(3):
        await asyncio.sleep(0)
    del connection, waiting
    gc.collect()
    assert logged == []
