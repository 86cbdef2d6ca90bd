"""The frozen terms of a sale: complete, typed, and unchanged by later versions of the program."""

from dataclasses import replace
from decimal import Decimal

from domain.lifecycles import ProgramStatus
from domain.terms import TradingDay
from services import groups, payments, programs
from tests.api.clients import Api
from tests.services.world import CLIENT, EVALUATION, FUNDED, MANAGER, WIDE, a_world, changed, rows

TERMS = """hash version programVersion name price priceCurrency zone dayStart profitSplit
  phases { index type name profitSplit durationDays minTradingDays tradingDay bestDayPct warnAt
    maxPositions positions { enforced consequence }
    group { name kind currency deposit policy { leverageMax notionalMax slippage symbols feeBps longAllowed } }
    dailyLoss { pct amount reference percentOf measured touch consequence }
    totalLoss { pct amount percentOf trail trailBy lockAt } dailyProfit { pct } profitTarget { pct amount measured }
    payout { minProfit minAmount minBuffer feeBack floor cycleDays } }"""
CHALLENGE = f"""query ($id: ID!) {{ challenge(id: $id) {{ programChanged program {{ version price }} terms {{ {TERMS} }}
  purchase {{ programChanged terms {{ {TERMS} }} }} }} }}"""
PURCHASE = f"query ($id: ID!) {{ purchase(id: $id) {{ programChanged challenges {{ id }} terms {{ {TERMS} }} }} }}"


async def test_what_was_sold_is_read_whole_whatever_becomes_of_the_program(api: Api) -> None:
    evaluation = changed(
        EVALUATION,
        max_total_loss_pct=Decimal(0),
        limits={"total_loss": {"amount": Decimal(9000), "trail": "TRAIL_INTRADAY", "lock_at": Decimal(100)}},
        warn_at=(Decimal("0.8"),),
        max_positions=3,
    )
    funded = changed(FUNDED, payout={"min_amount": Decimal(50), "fee_back": True, "floor": "KEEP"},
                     limits={"total_loss": {"trail": "TRAIL_END_OF_DAY"}})  # fmt: skip
    world = await a_world(api.database_url, steps=[evaluation, funded])
    alice = await api.token("CLIENT", "acme", "alice")
    challenge, _ = await world.buy()
    card = (await api.ask(CHALLENGE, alice, id=str(challenge)))["challenge"]
    assert (card["programChanged"], card["purchase"]["programChanged"]) == (False, False)
    terms = card["terms"]
    assert card["purchase"]["terms"] == terms
    assert {name: terms[name] for name in ("name", "price", "priceCurrency", "zone", "dayStart", "profitSplit")} == {
        "name": "Two phases", "price": "500", "priceCurrency": "USD", "zone": "UTC", "dayStart": "00:00:00",
        "profitSplit": "0.8",
    }  # fmt: skip
    first, second = terms["phases"]
    assert (first["index"], first["type"], first["name"], first["payout"]) == (1, "EVALUATION", "Evaluation", None)
    assert first["group"] == {
        "name": "DEMO", "kind": "DEMO", "currency": "USD", "deposit": "100000",
        "policy": {"leverageMax": "50", "notionalMax": "5000000", "slippage": "MID_PRICE", "symbols": [],
                   "feeBps": "10", "longAllowed": True},
    }  # fmt: skip
    assert first["dailyLoss"] == {
        "pct": "5", "amount": None, "reference": "EQUITY", "percentOf": "REFERENCE", "measured": "EQUITY",
        "touch": "BEYOND", "consequence": "FAIL",
    }  # fmt: skip
    assert first["totalLoss"] == {
        "pct": "0", "amount": "9000", "percentOf": "INITIAL", "trail": "TRAIL_INTRADAY", "trailBy": "BALANCE",
        "lockAt": "100",
    }  # fmt: skip
    assert (first["dailyProfit"], first["profitTarget"]["pct"], first["warnAt"]) == (None, "8", ["0.8"])
    assert (first["maxPositions"], first["positions"]) == (3, {"enforced": "GATE", "consequence": "FAIL"})
    assert first["tradingDay"] == TradingDay.FILL.value
    assert (second["type"], second["profitSplit"], second["profitTarget"]) == ("FUNDED", "0.8", None)
    assert second["payout"] == {
        "minProfit": "0", "minAmount": "50", "minBuffer": "0", "feeBack": True, "floor": "KEEP", "cycleDays": 0,
    }  # fmt: skip

    version = (await rows("select version from programs"))[0]["version"]
    harsh = {"steps": (replace(evaluation, max_daily_loss_pct=Decimal(1)),), "price": Decimal(9), "name": "Harsher"}
    await programs.update_program(MANAGER, world.program, expected_version=version, changes=harsh)
    await groups.save_group(MANAGER, name="DEMO", kind="DEMO", currency="USD", deposit=Decimal(7), policy=WIDE)
    later = (await api.ask(CHALLENGE, alice, id=str(challenge)))["challenge"]
    assert (later["programChanged"], later["purchase"]["programChanged"]) == (True, True)
    assert later["program"] == {"version": version + 1, "price": "9"}
    assert later["terms"] == terms


async def test_an_unpaid_purchase_says_what_it_is_for(api: Api) -> None:
    world = await a_world(api.database_url)
    alice = await api.token("CLIENT", "acme", "alice")
    purchase = await payments.order_purchase(CLIENT, world.program, "k1")
    card = (await api.ask(PURCHASE, alice, id=str(purchase)))["purchase"]
    assert (card["challenges"], card["programChanged"], len(card["terms"]["phases"])) == ([], False, 2)
    await programs.update_program(MANAGER, world.program, expected_version=2, status=ProgramStatus.DISABLED)
    assert (await api.ask(PURCHASE, alice, id=str(purchase)))["purchase"]["programChanged"] is True
