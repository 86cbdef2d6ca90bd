"""A desk that has used every feature, and corruptions of its rows that an owner's password would allow."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from domain.lifecycles import PurchaseStatus
from services import adjustments, admin, corrections, events, orders, payments, purchases
from tests.services.bad_prints import a_reinstated
from tests.services.world import CLIENT, EVALUATION, FUNDED, MANAGER, TRADER, World, a_world, act, changed, value


async def a_worked_desk(url: str) -> World:
    """One challenge failed, one goes on after a bad print, one passed and paid, one with a void, one trading on both
    sides with orders at rest, one just bought; beside them an account of no challenge, locked.
    """
    world = await a_world(url, cash=4_000, steps=(EVALUATION, changed(FUNDED, payout={"fee_back": True})))
    await a_reinstated(world, "goes on")
    _, failing = await world.buy("fails")
    await act(failing, "OPEN", action_id="f1", quantity="1000000")
    await act(failing, "OPEN", action_id="f2", quantity="1")
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
    await adjustments.adjust(MANAGER, corrected, Decimal(2), counts_as_profit=True, reason="a gesture", key="g1")
    await adjustments.adjust(MANAGER, corrected, Decimal(-1), counts_as_profit=False, reason="too much", key="g2")
    alone = await admin.create_account(MANAGER, mode="RACE", group="DEMO", key="alone")
    await admin.start_by_hand(MANAGER, alone)
    await admin.lock(MANAGER, alone, "a question")
    _, trading = await world.buy("trades")
    await act(trading, "OPEN", action_id="t1", quantity="300000")
    await act(trading, "INCREASE", action_id="t2", quantity="100000")
    await act(trading, "OPEN", action_id="t3", quantity="50000", side="SHORT", stop_loss="1.2")
    await act(trading, "INCREASE", action_id="t5", quantity="1000", order="LIMIT", price="1.0")
    stop = await act(trading, "INCREASE", action_id="t6", side="SHORT", quantity="1000", order="STOP", price="1.0")
    assert stop.order_seq
    await orders.cancel_order(TRADER, trading, stop.order_seq, "changed my mind")
    await world.quote("1.10600")
    await act(trading, "REDUCE", action_id="t4", quantity="70000")
    await act(trading, "PROTECT", action_id="t7", side="SHORT", stop_loss="1.19", take_profit="1.05", fraction="0.5")
    await act(trading, "PROTECT", action_id="t8", side="SHORT", stop_loss="1.18")
    await act(trading, "PROTECT", action_id="t9", side="SHORT", take_profit="NONE")
    await act(trading, "CLOSE", action_id="t10", order="LIMIT", price="1.9")
    await world.quote("1.10650")
    await purchases.buy(CLIENT, world.program, world.wallet, "just bought")
    await payments.order_purchase(CLIENT, world.program, "paid by card later")
    await purchases.update_purchase(
        MANAGER, await payments.order_purchase(CLIENT, world.program, "paid by card"), status=PurchaseStatus.PAID
    )
    await events.stamp()
    return world


TRADING = "(select max(account_id) from positions where status = 'OPEN')"
FAILED = "(select account_id from challenge_phases where status = 3 and not superseded)"
PAID = "(select account_id from payouts)"
VOIDED = "(select account_id from fills where status = 'VOID')"

ALONE = {
    "ledgers are intact": [
        "update ledger set facts = '[1]' where kind = 'deposit'",
        "update ledger set amount = amount + 1 where kind = 'deposit'",
        f"delete from ledger where account_id = {FAILED} and seq = 4",
        (
            f"delete from ledger l using balances b where l.account_id = {TRADING} and (b.account_id, b.seq) ="
            " (l.account_id, l.seq)"
        ),
        f"update balances set seq = seq + 1 where account_id = {TRADING}",
        f"update balances set head = sha256('other') where account_id = {TRADING}",
    ],
    "cash is accounted for": [
        f"update balances set realised = realised + 1, fees = fees + 1 where account_id = {FAILED}",
    ],
    "accounts have balances": [
        (
            "alter table balances drop constraint balances_equity;"
            f" update balances set equity = equity + 1 where account_id = {TRADING}"
        ),
    ],
    "no account is in quarantine": [
        f"insert into quarantine (account_id, seq, error, message) values ({TRADING}, 1, 'ValueError', 'planted')",
    ],
    "marks are exact": [
        f"update balances set unrealised = unrealised + 1, equity = equity + 1 where account_id = {TRADING}",
    ],
    "positions are their fills": [
        "update positions set quantity = quantity + 1 where status = 'OPEN'",
        "update positions set cost_basis = cost_basis + 1 where status = 'CLOSED'",
        "update positions set closed_at = closed_at + interval '1 hour' where status = 'CLOSED'",
        "update fills set position_seq = 3 where verb = 'INCREASE' and status = 'BOOKED'",
        (
            "insert into positions select account_id, 9999, symbol, side, 'CLOSED', 0, 0, 0, 0, opened_at, opened_at"
            " from positions where status = 'OPEN' and side = 'LONG'"
        ),
    ],
    "fills have one order": [
        "update orders set quantity = quantity + 1 where verb = 'REDUCE'",
        (
            "update orders set status = 'WORKING', ended_at = null, type = 'LIMIT', price = 1"
            f" where status = 'FILLED' and verb = 'REDUCE' and account_id = {TRADING}"
        ),
        "update orders set status = 'FILLED' where status = 'VOID'",
    ],
    "fills have one ledger row": [
        "update fills set batch = batch + 1 where verb = 'REDUCE'",
    ],
    "reinstatements have their run": [
        "delete from reinstatements",
        "update challenge_phases set run = 5 where run = 2",
        "update reinstatements set phase_id = new_phase_id",
    ],
    "nothing is traded after an end": [
        f"update orders set reason = 'ACTION' where account_id = {FAILED}",
    ],
    "ended accounts have a closing job": [
        f"update accounts set result = null where id = {PAID}",
    ],
    "actions name their orders": [
        "update decision_actions set order_seq = null where status = 'EXECUTED'",
    ],
    "refusals are counted": [
        "update balances set refusals_end_at = now(), refusals_since = 1, refusals_stored = 77",
    ],
    "accounts are marked while they must be": [
        f"update balances set live = false where account_id = {TRADING}",
    ],
    "accounts are marked within the batches": [
        f"update balances set marked_through = 10000 where account_id = {TRADING}",
    ],
    "working orders are on live accounts": [
        f"update accounts set read_only = true where id = {TRADING}",
        "update orders set type = 'STOP_LOSS', side = 'SHORT' where type = 'LIMIT'",
    ],
    "ended orders have a reason": [
        "update orders set ended_at = ended_at + interval '1 minute' where status = 'CANCELLED'",
        "update orders set status = 'REJECTED' where status = 'CANCELLED'",
    ],
    "amended orders have their origin": [
        "update orders set origin = seq where origin is not null",
        "update orders set origin = seq - 1 where type = 'LIMIT'",
    ],
    "locks remember their status": [
        "update accounts set locked_from = null where status = 'LOCKED'",
        f"update accounts set locked_from = 'ACTIVE' where id = {TRADING}",
    ],
    "challenges agree with their phases": [
        "update challenges set ended_at = null where status = 3",
        "update challenges set status = 2, ended_at = now() where status = 1",
        "delete from challenge_phases where account_id is null",
        "update challenge_phases set status = 0 where account_id is null",
    ],
    "challenges point at their phase": [
        "update challenges set current_phase_index = 1 where status = 2",
    ],
    "purchases have one live challenge": [
        (
            "drop index challenges_one_live;"
            " update challenges set purchase_id = (select max(id) from purchases) where status = 1"
        ),
        (
            "update challenges c set purchase_id = null from purchases p"
            " where p.id = c.purchase_id and c.status = 1 and p.wallet_id is not null"
        ),
    ],
    "phases begin with what was sold": [
        "update challenge_phases set initial_balance = initial_balance + 1 where status = 3",
    ],
    "failed phases have one breach": [
        "delete from breaches",
    ],
    "breaches rest on the ledger": [
        "update breaches set ledger_hash = sha256('other')",
    ],
    "breaches can be derived": [
        "update breaches set derivation = '{}'",
        "update breaches set floor = floor - 1",
        """update breaches set derivation = derivation || '{"pct": "6"}'""",
        """update breaches set derivation = derivation || '{"equity": "96000"}', observed = 96000, headroom = 1000""",
        """update breaches set marks = jsonb_set(marks, '{0,mark}', '"0.5"')""",
    ],
    "days are dense": [
        "delete from days where number = 1",
        "update days set closed = false",
    ],
    "ended phases have a job": [
        "delete from jobs where kind = 'close_account'",
    ],
    "terms bear their hash": [
        "insert into terms values ('made up', 1, '{}')",
        "update terms set program_version = program_version + 1",
    ],
    "transfers pair up": [
        "update transfers set cause = 'other' where kind = 'FEE' and amount > 0",
    ],
    "transfers stay among their money": [
        "update transfers set money = 'SYNTHETIC' where kind = 'FEE'",
    ],
    "wallets sum their transfers": [
        (
            "insert into wallets (id, brand, client, currency, cash) values (9, 'acme', 'zoe', 'USD', 1);"
            " update wallets set cash = cash - 1 where client = 'alice'"
        ),
    ],
    "house accounts sum their transfers": [
        (
            "update house_accounts set balance = balance + case purpose when 'TREASURY' then 1 else -1 end"
            " where purpose in ('TREASURY', 'EXTERNAL')"
        ),
    ],
    "reservations match pending purchases": [
        "update wallets set reserved = 0",
    ],
    "purchases paid their fee": [
        "update purchases set price = price + 1 where status = 3 and fee_returned_with is null",
        "update purchases set paid_from = null where status = 3",
        "update purchases set paid_from = 'OUTSIDE' where status = 3",
        "update purchases set status = 5 where status = 3",
        "update transfers set cause = 'purchase 9999 fee' where kind = 'FEE'",
    ],
    "external purchases are paid first": [
        (
            "update purchases set status = 1, paid_from = 'OUTSIDE'"
            " where payment_reference is not null and paid_from is null"
        ),
    ],
    "fees return with the first payout": [
        "update purchases set fee_returned_with = null where fee_returned_with is not null",
        "update transfers set cause = 'purchase 9999 fee returned with payout 1' where kind = 'FEE_RETURN'",
    ],
    "payouts follow the split": [
        "update payouts set split = 0.7",
    ],
    "payouts moved what they say": [
        "update payouts set profit = profit + 0.000001",
    ],
    "audits are intact": [
        "update audit set reason = 'none' where operation = 'lockAccount'",
        "update audit_heads set seq = seq - 1 where chain = 'acme'",
        "delete from audit where operation = 'voidFill'",
    ],
    "amounts are numbers": [
        "alter domain money8 drop constraint money8_check; update metrics set balance = 'NaN'",
    ],
    "brands never mix": [
        "update events set brand = 'other'",
        "update wallets set client = 'bob'",
    ],
    "rows have their objects": [
        "update metrics set phase_id = 9999",
    ],
    "batches are dense": [
        "delete from batches where number = 3",
        "delete from quotes where batch = 3",
        "update batches set market_time = market_time - interval '1 day' where number = 3",
        "update retention set quotes_forgotten = 1",
        "insert into standing_quotes values ('EURUSD', 1)",
    ],
    "latest quotes are the newest": ["update latest_quotes set bid = bid - 1"],
    "events are dense": [
        "delete from events where position = 3",
        "update events set number = number + 100 where position = 3",
        "update event_position set position = position + 1",
        "update events set brand_position = 1 where position = 3",
        "update brand_positions set position = position + 1",
    ],
}
"""What a check finds, and no other does."""

AMONG_OTHERS = {
    "ledgers are intact": [
        f"delete from ledger where account_id = {TRADING}",
    ],
    "cash is accounted for": [
        f"update balances set cash = cash + 1, equity = equity + 1 where account_id = {PAID}",
        f"update ledger set kind = 'other' where kind = 'correction' and account_id = {VOIDED}",
    ],
    "accounts have balances": [
        f"delete from balances where account_id = {PAID}",
    ],
    "accounts can be read": ["update accounts set policy = 'unreadable'"],
    "positions are their fills": [
        "update fills set fee = fee + 1 where verb = 'REDUCE'",
        "update fills set status = 'BOOKED' where status = 'VOID'",
    ],
    "slices sum to the whole": [
        f"update fills set realised = realised + 0.00000002 where verb = 'REDUCE' and account_id = {TRADING}",
        f"update fills set fee = fee - 0.00000001 where verb = 'OPEN' and account_id = {TRADING}",
        f"update fills set realised = realised + 1, cumulative = false where account_id = {TRADING}",
    ],
    "positions are open once": [
        (
            "drop index positions_one_open; insert into positions select account_id, 9999, symbol, side, status,"
            " quantity, cost_basis, realised, fees, opened_at from positions where status = 'OPEN' and side = 'LONG'"
        ),
    ],
    "fills have one order": [
        (
            "drop index fills_one_per_order; insert into fills select account_id, 9999, order_seq, position_seq,"
            " symbol, side, verb, status, quantity, price, fee, rate, realised, filled_at, batch, quote_time from fills"
            f" where account_id = {VOIDED} and verb = 'CLOSE'"
        ),
    ],
    "fills have one ledger row": ["update fills set price = price + 1 where verb = 'REDUCE'"],
    "nothing is traded after an end": [
        f"update fills set seq = 9999 where account_id = {PAID} and verb = 'OPEN'",
    ],
    "accounts are marked within the batches": [
        (
            "delete from batches where number < (select max(number) from batches);"
            f" update balances set marked_through = 1 where account_id = {TRADING}"
        ),
    ],
    "working orders are on live accounts": [
        f"update accounts set status = 'COMPLETED' where id = {TRADING}",
        "update orders set side = 'LONG', symbol = 'GBPUSD' where type = 'STOP_LOSS'",
    ],
    "ended orders have a reason": [
        "delete from orders where status = 'CANCELLED'",
    ],
    "voids have a correction": [
        "update orders set seq = 9999 where status = 'VOID'; update fills set order_seq = 9999 where status = 'VOID'",
        "update fills set status = 'BOOKED' where status = 'VOID'",
        "update ledger set facts = facts - 'voided_fills' where kind = 'correction'",
    ],
    "challenges have one active phase": [
        (
            "drop index challenge_phases_one_running;"
            " update challenge_phases set status = 1 where challenge_id in (select challenge_id from payouts)"
        ),
    ],
    "phases run in order": [
        "update challenge_phases set phase_index = 3 where phase_index = 2",
        "update challenge_phases set status = 4 where phase_index = 1",
        "update challenge_phases set status = 0 where status = 1",
    ],
    "failed phases have one breach": [
        "update challenge_phases set status = 2 where status = 3",
    ],
    "breaches can be derived": [
        "update breaches set rule = 'OTHER'",
    ],
    "ended phases have a job": [
        "update accounts set read_only = false",
    ],
    "terms bear their hash": [
        "update terms set body = 'unreadable'",
    ],
    "transfers pair up": [
        "update transfers set amount = amount + 1 where kind = 'FEE' and amount > 0",
    ],
    "real money sums to zero": [
        "update wallets set cash = cash + 1",
    ],
    "synthetic money sums to results": [
        "update house_accounts set balance = balance + 1 where purpose = 'CAPITAL'",
    ],
    "payouts are held until paid": [
        "update payouts set status = 'APPROVED', paid_at = null",
    ],
    "payouts reached their clients": [
        "update payouts set status = 'REJECTED', paid_at = null",
    ],
    "brands never mix": [
        "update accounts set brand = 'other'",
    ],
    "rows have their objects": [
        f"delete from accounts where id = {PAID}",
        "update decision_actions set account_id = 4711 where status = 'REJECTED'",
        f"update positions set account_id = 4711 where account_id = {PAID}",
        "update orders set symbol = 'NONE' where status = 'CANCELLED'",
        "update positions set symbol = 'NONE' where status = 'CLOSED'",
    ],
}
"""What a check finds, and others do too."""


def planted() -> Iterator[tuple[str, str, bool]]:
    """Each corruption: the check that finds it, the statements, and whether no other check does."""
    for check, every in ALONE.items():
        yield from ((check, statements, True) for statements in every)
    for check, every in AMONG_OTHERS.items():
        yield from ((check, statements, False) for statements in every)
