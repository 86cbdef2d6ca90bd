"""A desk that has done everything there is to do, and what somebody with its owner's password might change in it."""

from datetime import timedelta

from services import admin, corrections, events, purchases
from tests.services.world import CLIENT, MANAGER, World, a_world, act, value


async def a_worked_desk(url: str) -> World:
    """One challenge failed, one passed and paid, one with a void, one trading on both sides with orders at rest, one
    just bought; beside them an account of no challenge, locked.
    """
    world = await a_world(url, cash=3_000)
    _, failing = await world.buy("fails")
    await act(failing, "OPEN", action_id="f1", quantity="1000000")
    await act(failing, "OPEN", action_id="f2", quantity="many")
    await world.quote("1.09000")
    challenge, passing = await world.buy("passes")
    await act(passing, "OPEN", action_id="p1", quantity="1000000")
    await world.quote("1.10100")
    await act(passing, "CLOSE", action_id="p2")
    await world.quote("1.10110")
    funded = await world.account(challenge)
    await act(funded, "OPEN", action_id="g1", quantity="1000000")
    await world.quote("1.10500")
    await act(funded, "CLOSE", action_id="g2")
    await world.quote("1.10500", after=timedelta(days=2))
    assert await value("select status from payouts where account_id = $1", funded) == "PAID"
    _, corrected = await world.buy("has a void")
    await act(corrected, "OPEN", action_id="v1", quantity="10000")
    await act(corrected, "INCREASE", action_id="v2", quantity="5000")
    await act(corrected, "REDUCE", action_id="v3", quantity="4000")
    bad = await value("select seq from fills where account_id = $1 and verb = 'INCREASE'", corrected)
    await corrections.void_fills(MANAGER, [(corrected, bad)], "a bad tick")
    await act(corrected, "CLOSE", action_id="v4")
    alone = await admin.create(MANAGER, mode="RACE", group="DEMO", key="alone")
    await admin.start(MANAGER, alone)
    await admin.lock(MANAGER, alone, "a question")
    _, trading = await world.buy("trades")
    await act(trading, "OPEN", action_id="t1", quantity="300000")
    await act(trading, "INCREASE", action_id="t2", quantity="100000")
    await act(trading, "OPEN", action_id="t3", quantity="50000", side="SHORT", stop_loss="1.2")
    limit = await act(
        trading, "OPEN", action_id="t5", symbol="EURUSD", side="LONG", quantity="1000", order="LIMIT", price="1.0"
    )
    await world.quote("1.10600")
    await act(trading, "REDUCE", action_id="t4", quantity="70000")
    await world.quote("1.10650")
    await purchases.buy(CLIENT, world.program, world.wallet, "just bought")
    await events.stamp()
    return world


TRADING = "(select max(account_id) from positions where status = 'OPEN')"
FAILED = "(select account_id from challenge_phases where status = 3)"
PAID = "(select account_id from payouts)"

CORRUPTIONS = {
    "ledgers are intact": [
        "update ledger set facts = '[1]'",
        "update ledger set amount = amount + 1 where kind = 'deposit'",
        """
            update ledger set facts = facts || '{"price": "1"}' where kind = 'fill'""",
        f"delete from ledger where account_id = {FAILED} and seq = 4",
        f"""
            delete from ledger l using balances b where b.account_id = {TRADING} and b.seq = l.seq and
            b.account_id = l.account_id""",
        f"delete from ledger where account_id = {TRADING}",
        f"update balances set seq = seq + 1 where account_id = {TRADING}",
        f"update balances set head = sha256('other') where account_id = {TRADING}",
    ],
    "cash is accounted for": [
        f"update balances set cash = cash + 1, equity = equity + 1 where account_id = {PAID}",
        f"update balances set realised = realised + 1 where account_id = {FAILED}",
    ],
    "accounts have balances": [
        f"""
            alter table balances drop constraint balances_equity; update balances set equity = equity + 1
            where account_id = {TRADING}""",
        f"delete from balances where account_id = {PAID}",
    ],
    "marks are exact": [
        f"update balances set unrealised = unrealised + 1, equity = equity + 1 where account_id = {TRADING}",
        "delete from quotes",
    ],
    "positions are their fills": [
        "update accounts set policy = 'unreadable'",
        "update positions set quantity = quantity + 1 where status = 'OPEN'",
        "update positions set cost_basis = cost_basis + 1 where status = 'CLOSED'",
        "update fills set position_seq = 3 where verb = 'INCREASE'",
        "update fills set fee = fee + 1 where verb = 'REDUCE'",
    ],
    "positions are open once": [
        """
            drop index positions_one_open; insert into positions select account_id, 9999, symbol, side,
            status, quantity, cost_basis, realised, fees, opened_at from positions where status = 'OPEN'
            and side = 'LONG'""",
    ],
    "fills have one order": [
        "delete from orders where verb = 'REDUCE'",
        "update orders set quantity = quantity + 1 where verb = 'REDUCE'",
        "update orders set status = 'WORKING' where verb = 'REDUCE'",
    ],
    "fills have one ledger row": [
        "update ledger set facts = facts || '{\"quantity\": \"many\"}' where kind = 'fill'",
        "update fills set price = price + 1 where verb = 'REDUCE'",
        "delete from ledger where kind = 'fill'",
    ],
    "nothing is traded after an end": [
        f"update orders set reason = 'ACTION' where account_id = {FAILED}",
        f"update fills set seq = 9999 where account_id = {PAID} and verb = 'OPEN'",
    ],
    "actions name their orders": [
        "update decision_actions set order_seq = null where status = 'EXECUTED'",
    ],
    "accounts are marked while they must be": [
        f"update balances set live = false where account_id = {TRADING}",
    ],
    "accounts are within reach": [
        f"update balances set marked_through = 10000 where account_id = {TRADING}",
        f"""
            delete from batches where number < (select max(number) from batches); update balances set
            marked_through = 1 where account_id = {TRADING}""",
    ],
    "challenges have one active phase": [
        """
            drop index challenge_phases_one_running; update challenge_phases set status = 1 where
            challenge_id in (select challenge_id from payouts)""",
    ],
    "phases run in order": [
        "update challenge_phases set phase_index = 3 where phase_index = 2",
        "update challenge_phases set status = 4 where phase_index = 1",
    ],
    "challenges agree with their phases": [
        "update challenges set status = 2, ended_at = now() where status = 1",
        "update challenges set ended_at = null where status = 3",
    ],
    "challenges point at their phase": [
        "update challenges set current_phase_index = 1 where status = 2",
    ],
    "purchases have one live challenge": [
        "drop index challenges_one_live; update challenges set purchase_id = (select max(id) from purchases)",
    ],
    "failed phases have one breach": [
        "delete from breaches",
        "update challenge_phases set status = 2 where status = 3",
    ],
    "breaches rest on the ledger": [
        "update breaches set ledger_hash = sha256('other')",
        "update breaches set ledger_seq = 1",
    ],
    "breaches can be derived": [
        "update breaches set rule = 'OTHER'",
        "update breaches set derivation = '{}'",
        "update breaches set floor = floor - 1",
        """
            update breaches set derivation = derivation || '{"pct": "6"}'""",
        """
            update breaches set derivation = derivation || '{"equity": "96000"}', observed = 96000,
            headroom = 1000""",
    ],
    "days are dense": [
        "delete from days where number = 1",
        "update days set closed = false",
    ],
    "ends left their job": [
        "delete from jobs where kind = 'close_account'",
        "update accounts set read_only = false",
    ],
    "terms bear their hash": [
        "update terms set body = 'unreadable'",
        """
            update terms set body = replace(body, '"Evaluation"', '"Other"')""",
    ],
    "transfers pair up": [
        "update transfers set amount = amount + 1 where kind = 'FEE' and amount > 0",
        "delete from transfers where kind = 'FEE' and amount > 0",
    ],
    "transfers stay among their money": [
        "update transfers set money = 'SYNTHETIC' where kind = 'FEE'",
    ],
    "wallets sum their transfers": [
        "update wallets set cash = cash + 1",
    ],
    "real money sums to zero": [
        "update wallets set cash = cash + 1",
    ],
    "house accounts sum their transfers": [
        "update house_accounts set balance = 0 where purpose = 'TREASURY'",
    ],
    "synthetic money sums to results": [
        "update house_accounts set balance = balance + 1 where purpose = 'CAPITAL'",
    ],
    "reservations match pending purchases": [
        "update wallets set reserved = 0",
    ],
    "purchases paid their fee": [
        "update purchases set price = price + 1 where status = 3",
    ],
    "payouts follow the split": [
        "update payouts set amount = amount - 0.01",
        "update payouts set split = 0.7",
    ],
    "payouts left their accounts": [
        "update payouts set profit = profit + 0.000001",
    ],
    "payouts are held until paid": [
        "update payouts set status = 'APPROVED'",
    ],
    "payouts reached their clients": [
        "update payouts set status = 'REJECTED'",
    ],
    "amounts are numbers": [
        "alter domain money8 drop constraint money8_check; update metrics set balance = 'NaN'",
    ],
    "brands never mix": [
        "update accounts set brand = 'other'",
        "update wallets set client = 'bob'",
        "update events set brand = 'other'",
    ],
    "rows have their objects": [
        f"delete from accounts where id = {PAID}",
        "delete from instruments where symbol = 'EURUSD'",
    ],
    "batches are dense": [
        "delete from batches where number = 3",
        "delete from quotes where batch = 3",
        "update batches set market_time = market_time - interval '1 day' where number = 3",
    ],
    "latest quotes are the newest": [
        "update latest_quotes set bid = bid - 1",
    ],
    "events are dense": [
        "delete from events where position = 3",
        "update events set number = number + 100 where position = 3",
        "update event_position set position = position + 1",
    ],
}
