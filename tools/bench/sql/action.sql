-- The row writes of one executed action, which adds to a position: a statement a transaction, no reading but its own.
-- Run by pgbench, each client on an account of its own; pgbench takes a colon before a word for a variable.
\set account :first + :client_id
with b as (
  update balances set seq = seq + 4, cash = cash - 1.1, fees = fees + 1.1, unrealised = 0.5, equity = cash - 0.6,
    high_watermark = 100000, head = '\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff',
    marked_through = 1, marked_at = now(), day_low = 99000, day_high = 100000, peak_equity = 100000,
    peak_balance = 100000, day_traded = true, days_traded = 1, last_fill_day = 1,
    touched = pg_current_xact_id()
  where account_id = :account returning account_id, seq, cash),
l as (
  insert into ledger (account_id, seq, kind, amount, balance_after, market_time, batch, facts, hash)
  select b.account_id, b.seq - 3 + r.n, r.kind, 0, b.cash, now(), 1, r.facts,
    '\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'
  from b, (values
    (0, 'action_accepted', '{"action": "a123456", "run": "bench"}'::jsonb),
    (1, 'order_placed', '{"quantity": "1000", "reason": "ACTION", "side": "LONG", "symbol": "S0000USD",
      "verb": "INCREASE"}'::jsonb),
    (2, 'fill', '{"fee": "1.1", "order": 123456, "price": "1.1", "quantity": "1000",
      "quote_time": "2026-01-01T00.00.00+00.00", "rate": "1", "realised": "0", "side": "LONG", "symbol": "S0000USD",
      "verb": "INCREASE"}'::jsonb),
    (3, 'position_changed', '{"cost_basis": "2200", "position": 7, "quantity": "2000", "side": "LONG",
      "symbol": "S0000USD"}'::jsonb)) r (n, kind, facts)),
a as (
  insert into decision_actions (account_id, seq, run, action_id, content, status, quote, order_seq, market_time, batch)
  select account_id, seq - 3, 'bench', 'p' || seq,
    '{"side": "LONG", "action": "INCREASE", "symbol": "S0000USD", "quantity": "1000"}', 'EXECUTED',
    '{"ask": "1.10001", "bid": "1.09999", "source_time": "2026-01-01T00.00.00+00.00"}', seq - 2, now(), 1 from b),
o as (
  insert into orders (account_id, seq, action_seq, symbol, side, verb, quantity, status, reason, placed_at, batch, type,
    ended_at, outcome)
  select account_id, seq - 2, seq - 3, 'S0000USD', 'LONG', 'INCREASE', 1000, 'FILLED', 'ACTION', now(), 1, 'MARKET',
    now(), '{}' from b),
p as (
  insert into positions (account_id, seq, symbol, side, status, quantity, cost_basis, realised, fees, opened_at)
  select account_id, :position, 'S0000USD', 'LONG', 'OPEN', 2000, 2200, 0, 2.2, now() from b
  on conflict (account_id, seq) do update set status = excluded.status, quantity = positions.quantity + 1000,
    cost_basis = positions.cost_basis + 1100, realised = excluded.realised, fees = positions.fees + 1.1)
insert into fills (account_id, seq, order_seq, position_seq, symbol, side, verb, quantity, price, fee, rate, realised,
  filled_at, batch, quote_time, status)
select account_id, seq - 1, seq - 2, :position, 'S0000USD', 'LONG', 'INCREASE', 1000, 1.1, 1.1, 1, 0, now(), 1, now(),
  'BOOKED' from b;
