"""The main job once, through the services: a challenge that fails, and one that passes and is paid."""

from datetime import timedelta

from tests.services.world import a_world, act, rows, value


async def test_a_daily_loss_fails_the_challenge_and_closes_its_positions(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    opened = await act(account, "OPEN", action_id="a1", quantity="1000000")
    assert opened.status == "EXECUTED", opened.refusal

    await world.quote("1.09400")  # 6,000 of 100,000 lost within the day

    assert await value("select status from challenges where id = $1", challenge) == 3
    assert await value("select rule from breaches where challenge_id = $1", challenge) == "MAX_DAILY_LOSS"
    assert await value("select count(*) from positions where account_id = $1 and status = 'OPEN'", account) == 0
    assert await value("select read_only from accounts where id = $1", account)
    refused = await act(account, "OPEN", action_id="a2", quantity="1000")
    assert refused.refusal
    assert refused.refusal.code == "ACCOUNT_NOT_OPEN"


async def test_a_target_advances_to_the_funded_phase_whose_profit_is_paid(database: str) -> None:
    world = await a_world(database)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")
    await world.quote("1.11100")
    await act(account, "CLOSE", action_id="a2")
    await world.quote("1.11101")

    funded = await world.account(challenge)
    assert funded != account
    await act(funded, "OPEN", action_id="b1", quantity="1000000")
    await world.quote("1.11600")
    await act(funded, "CLOSE", action_id="b2")
    await world.quote("1.11600", after=timedelta(days=2))

    assert await value("select status from challenges where id = $1", challenge) == 2
    payout = (await rows("select status, profit, amount from payouts"))[0]
    assert payout["status"] == "PAID"
    assert payout["amount"] > 0
    jobs = await rows("select kind, status, outcome from jobs order by id")
    assert {job["status"] for job in jobs} == {"DONE"}, jobs
