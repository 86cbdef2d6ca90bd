"""Early warnings reach subscribers, from the marker's pass and from a trader's own fill, each once a day."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from services import events
from tests.services.world import EVALUATION, a_world, act, books_hold, rows, value

WARNED = replace(EVALUATION, warn_at=(Decimal("0.5"), Decimal("0.8")))


async def test_a_warning_is_told_once_a_day_and_leaves_no_breach(database: str) -> None:
    world = await a_world(database, steps=[WARNED], price=0)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="1000000")  # the fee is 1,100
    for mid in ("1.0991", "1.0985", "1.0984", "1.099"):
        await world.quote(mid)
    await world.quote("1.09695", after=timedelta(days=1))
    await world.quote("1.096")
    await events.stamp()

    warned = await rows(
        """select payload ->> 'rule' as rule, payload ->> 'share' as share, payload ->> 'day' as day, payload
          ->> 'batch' as batch, payload ->> 'ledger_seq' as seq
        from events where challenge_id = $1 and name = 'prop.challenge.warning' order by number""",
        challenge,
    )
    told = [(row["rule"], row["share"], row["day"]) for row in warned]
    assert told == [("MAX_DAILY_LOSS", "0.5", "1"), ("MAX_TOTAL_LOSS", "0.5", "2"), ("MAX_DAILY_LOSS", "0.5", "2")]
    for row in warned:
        kind = await value("select kind from ledger where account_id = $1 and seq = $2", account, int(row["seq"]))
        assert kind == "warning"
    assert await value("select count(*) from breaches") == 0
    await act(account, "INCREASE", action_id="a2", quantity="1000000")  # for a fee of 1,096
    assert await value("select facts ->> 'share' from ledger where kind = 'warning' order by seq desc limit 1") == "0.8"
    await books_hold()
