"""A cached account access is read anew when its lock root is gone."""

import pytest

from domain.errors import NotFound
from services import actions, program_deletion
from tests.services.world import CLIENT, MANAGER, TRADER, a_world, act, an_action, books_hold, settle, value


async def test_an_account_that_let_go_of_its_challenge_is_found_all_the_same(database: str) -> None:
    world = await a_world(database)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000")
    await program_deletion.delete_program(MANAGER, world.program, "discontinued")
    late = await act(account, "OPEN", action_id="a2", quantity="1000")
    assert late.refusal and late.refusal.code == "ACCOUNT_NOT_OPEN"
    [its_owner] = await actions.submit(CLIENT, account, "r1", [an_action(action_id="a3")])
    assert its_owner.refusal and its_owner.refusal.code == "ACCOUNT_NOT_OPEN"
    assert await value("select count(*) from decision_actions") == 3
    await settle()
    await books_hold()


async def test_an_account_made_after_it_was_asked_for_is_found(database: str) -> None:
    world = await a_world(database)
    account = await value("select coalesce(max(id), 100000) + 1 from accounts")
    with pytest.raises(NotFound):
        await actions.submit(TRADER, account, "r1", [an_action()])
    _, bought = await world.buy()
    assert bought == account
    assert (await act(account, "OPEN", action_id="a1", quantity="1000")).status == "EXECUTED"
