"""The last good conversion rate over the API: marked as stale on answer, fill, open position and breach."""

from datetime import timedelta

from tests.api.clients import Api
from tests.services.test_conversions import buy_in, list_instruments
from tests.services.world import EVALUATION, a_world, act

RATE = "ratePairs rateAgeSeconds rateStale"
SUBMIT = f"""mutation ($input: SubmitDecisionActionsInput!) {{ submitDecisionActions(input: $input) {{
  results {{ status fill {{ realised rate {RATE} }} }} }} }}"""
READ = f"""query ($id: ID!) {{ account(id: $id) {{
  snapshot {{ positions {{ symbol stale {RATE} rateTime }} }}
  fills {{ nodes {{ verb {RATE} }} }}
  decisionAction: decisionActions(first: 1) {{ nodes {{ fill {{ {RATE} }} }} }}
  challenge {{ breaches {{ nodes {{ rule marks {{ symbol side mark unrealised stale rate {RATE} rateTime }} }} }} }}
}} }}"""
OLD = {"ratePairs": ["EURUSD"], "rateAgeSeconds": 72_001, "rateStale": True}


async def test_the_last_good_rate_is_flagged_wherever_it_counts(api: Api) -> None:
    world = await a_world(api.database_url, steps=(EVALUATION,), mid="1.25")
    friday = world.at.isoformat()
    await list_instruments("BTCUSD")
    await world.quote("10000", symbol="BTCUSD", after=timedelta(seconds=1))
    account = await buy_in(world, "EUR")
    await act(account, "OPEN", action_id="open", symbol="BTCUSD", quantity="5")
    await world.quote("9800", symbol="BTCUSD", after=timedelta(hours=20))
    token = await api.token("TRADER", "acme")
    reduce = {"actionId": "a1", "action": "REDUCE", "symbol": "BTCUSD", "side": "LONG", "quantity": "1"}
    given = {"accountId": str(account), "runId": "r1", "actions": [reduce]}
    [answer] = (await api.ask(SUBMIT, token, input=given))["submitDecisionActions"]["results"]
    assert answer == {"status": "EXECUTED", "fill": {"realised": "-160", "rate": "0.8", **OLD}}
    manager = await api.token("MANAGER", "acme")
    read = (await api.ask(READ, manager, id=str(account)))["account"]
    assert read["snapshot"]["positions"] == [{"symbol": "BTCUSD", "stale": False, "rateTime": friday, **OLD}]
    assert read["fills"]["nodes"][0] == {"verb": "REDUCE", **OLD}
    assert read["decisionAction"]["nodes"] == [{"fill": OLD}]
    await world.quote("8400", symbol="BTCUSD")
    read = (await api.ask(READ, manager, id=str(account)))["account"]
    [breach] = read["challenge"]["breaches"]["nodes"]
    assert breach["rule"] == "MAX_DAILY_LOSS"
    old = OLD | {"rateAgeSeconds": 72_061}
    assert breach["marks"] == [
        {"symbol": "BTCUSD", "side": "LONG", "mark": "8400", "unrealised": "-5120", "stale": False, "rate": "0.8",
         "rateTime": friday, **old},
    ]  # fmt: skip
