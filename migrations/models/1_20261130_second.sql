-- The second edition. It upgrades databases with data: every statement keeps the existing rows.

-- Every phase sold is a row from the start; a later one is PENDING (0) without an account until it is reached, and
-- CANCELLED (4) where the challenge ended before. Sales of the first edition get the rows they lack.
alter table challenge_phases
  alter column account_id drop not null,
  add constraint challenge_phases_reached check (account_id is not null or status in (0, 4));
insert into challenge_phases (challenge_id, phase_index, phase_type, status, initial_balance, ended_at, end_reason)
select c.id, s.number, (s.phase ->> 'type')::smallint, case when c.status in (0, 1) then 0 else 4 end,
  (s.phase -> 'group' ->> 'deposit')::numeric, c.ended_at,
  case c.status when 3 then 'CHALLENGE_FAILED' else c.end_reason end
from challenges c
join terms t on t.hash = c.terms_hash
cross join lateral jsonb_array_elements(t.body::jsonb -> 'phases') with ordinality as s (phase, number)
on conflict do nothing;
select 1;

-- Comments of tables and columns: the docstrings and descriptions of the models.
comment on table brands is 'A firm whose programs the desk runs.';
comment on column brands.name is 'Name of the brand in the API';
comment on column brands.title is 'Display name';
comment on column brands.sample is 'Created by the sample data, not a real firm';
comment on table tokens is 'An API token; only the sha256 of its text is kept.';
comment on column tokens.subject is 'Client of a CLIENT token';
comment on column tokens.prefix is 'First characters of the token, for recognition';
comment on column tokens.hash is 'sha256 of the token';
comment on column tokens.scope is 'Scope of a TRADER token: owners, clones, challenges, accounts';
comment on column tokens.brand is 'Null for ADMIN and FEED';
comment on table currencies is 'A currency.';
comment on column currencies.par is 'Par group: currencies of one group have the same value';
comment on table instruments is 'An instrument that can be traded.';
comment on column instruments.price_precision is 'Decimal places of a price';
comment on column instruments.quantity_step is 'Quantities are multiples of it';
comment on table catalogue_version is 'One row: a version that every change of instruments or currencies raises, so that processes read them again.';
comment on table account_groups is 'A named set of trading conditions for new accounts: deposit and execution policy.';
comment on column account_groups.default_deposit is 'Starting balance of an account of the group';
comment on column account_groups.policy is 'The execution policy, by its fields'' names';
comment on table programs is 'A program as it is sold now; each sale freezes it into terms.';
comment on column programs.price is 'Price for the client';
comment on column programs.sort_index is 'Place in lists';
comment on column programs.zone is 'IANA time zone in which its trading days begin';
comment on column programs.day_start is 'Local time at which a trading day begins';
comment on column programs.version is 'Raised by every change';
comment on table program_phases is 'A phase of a program. Percentages are in percent: 5 is 5 %.';
comment on column program_phases.phase_index is 'Counted from 1';
comment on column program_phases.duration_days is '0: no limit';
comment on column program_phases.profit_split is 'The client''s share, from 0 to 1';
comment on column program_phases.limits is 'Options of each limit, by rule';
comment on column program_phases.warn_at is 'Shares of each limit at which an early warning is given, as text';
comment on column program_phases.payout is 'Conditions for a payout request';
comment on table wallets is 'Real money of a client in one currency.';
comment on column wallets.reserved is 'Cash that is reserved for open purchases';
comment on table house_accounts is 'Money of the brand itself, or of the outside world, in one currency.';
comment on column house_accounts.purpose is 'TREASURY, EXTERNAL, CAPITAL or PAYOUT_HOLD';
comment on table transfers is 'One of the two rows of a transfer, which sum to zero.';
comment on column transfers.transfer is 'Number of the transfer, which its rows share';
comment on column transfers.money is 'REAL or SYNTHETIC';
comment on column transfers.account_seq is 'Seq of the ledger row that booked it';
comment on column transfers.cause is 'Cause of the transfer';
comment on table terms is 'Frozen terms of a sale, by the hash of their text. Written once, never changed.';
comment on column terms.body is 'Canonical JSON; `hash` is its sha256';
comment on table purchases is 'A sale of a program to a client.';
comment on column purchases.price is 'Price at the sale';
comment on column purchases.paid_from is 'WALLET or OUTSIDE; null until it is paid';
comment on column purchases.external_reference is 'The firm''s own reference';
comment on column purchases.comment is 'The firm''s own note';
comment on column purchases.tags is 'The firm''s own tags';
comment on table challenges is 'A client''s challenge, under the frozen terms of its sale.';
comment on column challenges.account_id is 'Account of the current phase';
comment on column challenges.purchase_id is 'Null once the purchase is deleted';
comment on table challenge_phases is 'A run of a phase of a challenge, on its own account.';
comment on column challenge_phases.start_equity is 'Equity at its start';
comment on table days is 'A trading day of a run of a phase.';
comment on column days.number is 'Number of the day, from 1';
comment on column days.traded is 'Whether the day counts as traded';
comment on column days.ends_at is 'Start of the next day';
comment on column days.closed is 'Whether the day has ended';
comment on table accounts is 'A trading account; its id is also its login.';
comment on column accounts.group_name is 'Name of the account group at its opening';
comment on column accounts.locked_from is 'Status before the lock';
comment on column accounts.owner is 'Name of its owner, who trades it';
comment on column accounts.clone is 'Name of the clone (copy of a strategy) that trades it';
comment on column accounts.policy is 'Execution policy at its opening, as canonical JSON';
comment on column accounts.result is 'Final snapshot of an ended account';
comment on column accounts.challenge_id is 'Null for an account without a challenge, which is its own lock root';
comment on table balances is 'The current state of an account: money, ledger head, day of its phase. The only rows that the marker locks.';
comment on column balances.cash is 'Realised cash, without open profit';
comment on column balances.unrealised is 'Open profit';
comment on column balances.high_watermark is 'The highest equity so far';
comment on column balances.seq is 'Number of the newest ledger row';
comment on column balances.head is 'Hash of the newest ledger row';
comment on column balances.marked_through is 'Newest batch that it is marked through';
comment on column balances.ledger_due_at is 'Time of the next mark on the ledger';
comment on column balances.live is 'Whether it is marked: its phase runs, or it has a position or a working order';
comment on column balances.day is 'Number of the running day of its phase';
comment on column balances.day_findings is 'Rules broken on the running day';
comment on column balances.metric_due_at is 'Time of the next metric snapshot';
comment on column balances.touched is 'Last transaction that changed the row otherwise than by a mark';
comment on table decision_actions is 'An action that was submitted, and its result.';
comment on column decision_actions.run is 'The caller''s run, within which an action id is unique';
comment on column decision_actions.content is 'The action as submitted, without run and id';
comment on column decision_actions.refusal is 'Code and details of a refusal';
comment on column decision_actions.quote is 'Quote at the decision';
comment on table orders is 'An order, named by the ledger row that placed it.';
comment on column orders.action_seq is 'Seq of the action that placed it; null for an order of the desk';
comment on column orders.price is 'Trigger price; null for MARKET';
comment on column orders.stop_loss is 'Level for the position that it opens or increases';
comment on column orders.take_profit is 'Level for the position that it opens or increases';
comment on column orders.outcome is 'Reason of its cancellation, or the gate that rejected it';
comment on table positions is 'A position, named by the ledger row that opened it.';
comment on column positions.cost_basis is 'Cost of its quantity, in the quote currency';
comment on table fills is 'An execution of an order, named by its ledger row.';
comment on column fills.rate is 'Conversion rate from the quote currency to the account''s';
comment on column fills.quote_time is 'Source time of the quote it was filled at';
comment on column fills.symbol is 'Symbol of its order';
comment on table ledger is 'A row of an account''s ledger, chained by hash. Append only, partitioned by month of recording.';
comment on column ledger.batch is 'Newest batch at its writing';
comment on column ledger.facts is 'Facts of its kind, for a replay';
comment on column ledger.hash is 'sha256 of the row and the previous hash';
comment on table metrics is 'A metric snapshot of a phase. Partitioned by month of recording.';
comment on column metrics.peak_equity is 'The highest equity of the phase so far';
comment on table breaches is 'A broken rule, with its evidence.';
comment on column breaches."limit" is 'Amount of the limit: the allowed loss or gain';
comment on column breaches.floor is 'Level that was hit';
comment on column breaches.observed is 'Figure that hit the level';
comment on column breaches.derivation is 'Derivation of the level from terms and day';
comment on column breaches.ledger_seq is 'Seq of the ledger row of the finding';
comment on table payouts is 'A payout of profit to a client''s wallet.';
comment on column payouts.split is 'The client''s share, from 0 to 1';
comment on column payouts.amount is 'Amount for the client';
comment on column payouts.day is 'Number of the phase''s day of the request';
comment on column payouts.reason is 'Reason of a rejection';
comment on column payouts.challenge_id is 'Challenge and phase may be deleted with their program; the payout is kept';
comment on table jobs is 'A side effect to be executed after a commit, written with its cause.';
comment on column jobs.facts is 'Arguments of the job';
comment on column jobs.waits_for_batch is 'Batch that the job waits for';
comment on column jobs.outcome is 'Result, or the last error';
comment on column jobs.challenge_id is 'May be deleted with its program; the job is kept';
comment on table audit is 'A change by a manager or an admin, with its reason, chained by hash. Append only.';
comment on column audit.chain is 'Brand; empty for changes that belong to no brand';
comment on column audit.actor is 'Role and name of the token';
comment on column audit.operation is 'Name of the mutation';
comment on table audit_heads is 'The newest row of each audit chain.';
comment on table receipts is 'A request with an idempotency key, and its answer.';
comment on column receipts.content is 'Content of the request; another content under the same key is refused';
comment on column receipts.answer is 'Null while the request is executed';
comment on table batches is 'A batch of quotes, numbered without gaps in the order of commits.';
comment on column batches.market_time is 'Market time of the batch';
comment on column batches.quotes is 'Number of its quotes';
comment on table quotes is 'A quote of a batch.';
comment on column quotes.source_time is 'Source time';
comment on table latest_quotes is 'The newest quote of a symbol.';
comment on column latest_quotes.source_time is 'Source time';
comment on table standing_quotes is 'The batch of the newest deleted quote of a symbol, which itself is kept.';
comment on table dropped_quotes is 'A counter of dropped quotes, by symbol and reason.';
comment on table outbox is 'An event without a position yet.';
comment on column outbox.client is 'Client of the challenge, which may be deleted';
comment on column outbox.written_at is 'Time just before the commit of its transaction';
comment on table events is 'An event with its position, as subscribers see it.';
comment on column events.number is 'Number within the challenge, without gaps';
comment on column events.recorded_at is 'Time of writing to the outbox';
comment on table challenge_numbers is 'The number of the newest event of a challenge.';
comment on table event_position is 'One row: the positions of the newest event and of the newest deleted one.';
comment on column event_position.position is 'Position of the newest event';
comment on column event_position.forgotten is 'Events up to this position are deleted';
comment on table desk is 'One row: the desk, with its clock mode and number of shards.';
comment on column desk.mode is 'Clock mode: SYSTEM, or REPLAY if the source times of quotes are the market time';
comment on table retention is 'One row: the limits below which old data is deleted.';
comment on column retention.quotes_forgotten is 'Batches up to this number are deleted, with their quotes except the last of each symbol';
comment on column retention.metrics_forgotten is 'Metrics recorded before this are deleted';
comment on table shards is 'A shard of the accounts, with its owner and the newest batch that it has judged.';
comment on column shards.through is 'Newest batch that it has judged';
comment on table heartbeats is 'A process and its newest heartbeat.';
comment on column heartbeats.kind is 'Kind of process: api or worker';
comment on table periodic_slots is 'A time slot of a periodic task that a process has claimed.';
comment on column challenge_phases.account_id is 'Null before the phase begins';

-- A cancelled challenge closes its last day like any other ended challenge; the first edition left it open.
update days d set closed = true, traded = b.day_traded, low = least(d.low, b.day_low), high = greatest(d.high, b.day_high)
from challenge_phases p join balances b on b.account_id = p.account_id
where p.id = d.phase_id and p.status = 4 and d.number = b.day and not d.closed;

-- The profit of the day when a payout was requested; later profit of the day counts for the next payout. For payouts of
-- the first edition the whole day counts as before the payout, as it did then.
alter table payouts add column day_profit money8 not null default 0;
comment on column payouts.day_profit is 'Profit of that day at the request';
update payouts p set day_profit = d.balance - d.start_balance
from days d where d.phase_id = p.phase_id and d.number = p.day;
-- A purchase may be paid externally: it then has a payment reference and an expiry by the real clock, and no wallet.
-- Tokens of the role PAYMENTS confirm such payments.
alter table purchases
  alter column wallet_id drop not null,
  add column payment_reference text,
  add column expires_at timestamptz,
  add constraint purchases_payment check (
    (wallet_id is null) = (payment_reference is not null) and (payment_reference is null) = (expires_at is null));
comment on column purchases.payment_reference is 'Reference that an external payment must give; null if a wallet pays';
comment on column purchases.expires_at is 'Real time at which it fails without that payment';
create unique index purchases_payment_reference on purchases (payment_reference) where payment_reference is not null;
create index purchases_unpaid on purchases (expires_at) where status = 0 and payment_reference is not null;
alter table tokens
  drop constraint tokens_role_check,
  add constraint tokens_role_check check (role in ('ADMIN', 'MANAGER', 'CLIENT', 'TRADER', 'FEED', 'PAYMENTS'));
-- The quotes of a fill's conversion, and the open positions of a breach. They are unknown for existing rows.
alter table fills add column rate_time timestamptz, add column rate_pairs text not null default '',
  add column rate_stale boolean not null default false;
alter table breaches add column marks jsonb not null default '[]';
comment on column fills.rate_time is 'Source time of the rate''s oldest quote';
comment on column fills.rate_pairs is 'Pairs of the conversion';
comment on column fills.rate_stale is 'Whether the rate was too old to open on';
comment on column breaches.marks is 'Open positions at the breach, with prices and rates';

-- A withdrawal does not lower the floor of its day. The running days have no recorded withdrawals.
alter table balances add column day_withdrawn money8 not null default 0;
comment on column balances.day_withdrawn is 'Withdrawals of the day, which do not lower the floor of the daily loss';
-- Currencies, instruments, groups and brands have a version, so that an update can name the version it is based on.
alter table brands
  add column version integer not null default 1,
  add column updated_at timestamptz not null default now();
alter table account_groups add column version integer not null default 1;
alter table currencies
  add column version integer not null default 1,
  add column updated_at timestamptz not null default now();

-- Instruments of every kind. A quantity is in units of the underlying; the contract size is the number of units of a
-- lot.
alter table instruments
  drop constraint instruments_symbol_check,
  add constraint instruments_symbol_check check (symbol ~ '^[!-~]([ -~]{0,30}[!-~])?$'),
  alter column base_currency drop not null,
  add column kind text not null default 'FOREX'
    check (kind in ('FOREX', 'METAL', 'CRYPTO', 'INDEX', 'COMMODITY', 'STOCK', 'OTHER')),
  add column contract_size money8 not null default 1 check (contract_size > 0),
  add column status text not null default 'ACTIVE' check (status in ('ACTIVE', 'RETIRED')),
  add column version integer not null default 1,
  add column updated_at timestamptz not null default now(),
  add constraint instruments_pair_has_base check (kind <> 'FOREX' or base_currency is not null);
update instruments set kind = case when base_currency in ('XAU', 'XAG') then 'METAL' else 'CRYPTO' end
where base_currency in ('XAU', 'XAG', 'BTC', 'ETH', 'LTC');

-- Symbols and aliases share one namespace: a name in a feed belongs to at most one instrument.
create table instrument_names (
  name text primary key,
  symbol text not null references instruments (symbol)
);
create index instrument_names_symbol on instrument_names (symbol);
insert into instrument_names (name, symbol) select symbol, symbol from instruments;
grant select, insert, update, delete on instrument_names to propdesk_app;

-- An instrument is retired only while no order works on it; without this index the check would read all its orders.
create index orders_working on orders (symbol, account_id, seq) where status = 'WORKING';

comment on column account_groups.version is 'Raised by every change';
comment on column brands.version is 'Raised by every change';
comment on column currencies.version is 'Raised by every change';
comment on table instrument_names is 'A symbol or an alias, under which feeds quote the instrument.';
comment on column instruments.base_currency is 'Null if the underlying is no currency';
comment on column instruments.contract_size is 'Units of the underlying in one lot';
comment on column instruments.version is 'Raised by every change';
-- The fee is returned once, with the first payout, if the terms say so.
alter table purchases add column fee_returned_with bigint references payouts (id);
alter table purchases add column failure_shown text;
comment on column purchases.failure_reason is 'Reason of a failure, for the firm';
comment on column purchases.failure_shown is 'Reason of a failure, for the client';
comment on column purchases.fee_returned_with is 'Payout with which the fee was returned';
create unique index purchases_fee_returned_with on purchases (fee_returned_with) where fee_returned_with is not null;
alter table transfers
  drop constraint transfers_kind_check,
  add constraint transfers_kind_check check (kind in ('FEE', 'REFUND', 'FEE_RETURN', 'DEPOSIT', 'ADJUSTMENT',
    'PAYOUT_PROFIT', 'PAYOUT_SHARE', 'TOP_UP', 'WITHDRAWAL'));

-- The rule for traded days: days with a fill, as before, unless a program chooses another.
alter table program_phases
  add column trading_day text not null default 'FILL' check (trading_day in ('OPENED', 'FILL', 'MOVED')),
  add column trading_day_pct money8 not null default 0;
-- Accounts that cannot be read or marked. The others are not affected.
create table quarantine (
  account_id bigint primary key references accounts (id),
  seq bigint not null,
  error text not null,
  message text not null,
  entered_at timestamptz not null default clock_timestamp()
);
grant select, insert, update, delete on quarantine to propdesk_app;
comment on table quarantine is 'An account that cannot be read or marked.';
comment on column quarantine.seq is 'Seq of its newest ledger row at the failure';
comment on column quarantine.error is 'Kind of failure';
-- Prices have up to twelve decimal places, and a mid one more. The domain gets its constraint after the columns have
-- its type, so no table is rewritten; existing rows, with eight places, satisfy it.
create domain price13 as numeric;
alter table quotes alter column bid type price13, alter column ask type price13;
alter table latest_quotes alter column bid type price13, alter column ask type price13;
alter table orders alter column price type price13, alter column stop_loss type price13,
  alter column take_profit type price13;
alter table fills alter column price type price13;
alter domain price13 add constraint price13_check check (abs(value) < 1e15 and round(value, 13) = value) not valid;
alter table instruments
  drop constraint instruments_price_precision_check,
  add constraint instruments_price_precision_check check (price_precision between 0 and 12);
-- A position stores the rests of rounding of its profit, fees and cost, so that many small fills give the same as one.
-- Existing fills were rounded singly and are replayed so; open positions begin without a rest.
create domain rest as numeric constraint rest_check check (abs(value) < 0.00000001);
alter table positions
  add column realised_rest rest not null default 0,
  add column fees_rest rest not null default 0,
  add column whole_quantity money8,
  add column whole_cost cost18;
alter table fills add column cumulative boolean not null default false;
alter table fills alter column cumulative set default true;
comment on column positions.realised_rest is 'Exact profit so far less the booked profit';
comment on column positions.fees_rest is 'Exact fees so far less the booked fees; at most 0';
comment on column positions.whole_quantity is 'Quantity before the first reduction since the last increase; null: not reduced';
comment on column positions.whole_cost is 'Cost of that quantity, in the quote currency';
comment on column fills.cumulative is 'Booked with the rests of rounding; false for a fill of the first edition';

-- The least notional of an order, in the quote currency; 0, as for existing instruments: no limit.
alter table instruments add column notional_min money8 not null default 0 check (notional_min >= 0);
comment on column instruments.notional_min is 'Least notional of an order in the quote currency; 0: no limit';
-- Each instrument has a quote guard. Existing instruments get the figures of their kind in the mode that only warns, so
-- the upgrade holds back no quote.
alter table instruments
  add column guard_mode text not null default 'OFF' check (guard_mode in ('OFF', 'WARN', 'HOLD')),
  add column guard_move_pct money8 not null default 0 check (guard_move_pct >= 0),
  add column guard_move_seconds integer not null default 60 check (guard_move_seconds > 0),
  add column guard_spread_pct money8 not null default 0 check (guard_spread_pct >= 0),
  add column guard_frozen_seconds integer not null default 0 check (guard_frozen_seconds >= 0);
update instruments i
set guard_mode = 'WARN', guard_move_pct = k.move, guard_spread_pct = k.spread, guard_frozen_seconds = k.frozen
from (values ('FOREX', 5, 2, 900), ('METAL', 8, 2, 900), ('CRYPTO', 20, 5, 900), ('INDEX', 10, 3, 3600),
  ('COMMODITY', 15, 5, 3600), ('STOCK', 25, 10, 0), ('OTHER', 25, 10, 0)) as k (kind, move, spread, frozen)
where k.kind = i.kind;
comment on column instruments.guard_mode is 'Mode of the quote guard';
comment on column instruments.guard_move_pct is 'Largest move from the last good quote, in percent; 0: no limit';
comment on column instruments.guard_move_seconds is 'Seconds within which the move is measured';
comment on column instruments.guard_spread_pct is 'Widest spread, in percent; 0: no limit';
comment on column instruments.guard_frozen_seconds is 'Longest time without a price change, in seconds; 0: no limit';
alter table latest_quotes
  add column unchanged_since timestamptz,
  add column finding text check (finding in ('MOVE', 'SPREAD', 'FROZEN'));
comment on column latest_quotes.unchanged_since is 'Source time of the first quote of this price';
comment on column latest_quotes.finding is 'Finding of the quote guard';
create table suspect_quotes (
  symbol text primary key references instruments (symbol),
  bid price13 not null,
  ask price13 not null,
  source_time timestamptz not null,
  source text not null,
  finding text not null check (finding in ('MOVE', 'SPREAD', 'FROZEN')),
  held_at timestamptz not null default clock_timestamp()
);
grant select, insert, update, delete on suspect_quotes to propdesk_app;
comment on table suspect_quotes is 'A quote that the quote guard holds back until another confirms it.';
comment on column suspect_quotes.source_time is 'Source time';
comment on column suspect_quotes.source is 'Name of the token that sent it';
comment on column suspect_quotes.finding is 'Finding of the quote guard';

-- The failing background tasks of a process, with the last fault of each.
alter table heartbeats add column faults jsonb not null default '{}';
comment on column heartbeats.faults is 'Last fault of each failing background task';

-- An amended stop-loss or take-profit is a new order that names the first version: of orders so far, the one that
-- follows a REPLACED one continues it.
alter table orders add column origin bigint;
with versions as (
  select account_id, seq, symbol, side, type,
    coalesce(lag(outcome ->> 'reason') over (partition by account_id, symbol, side, type order by seq) = 'REPLACED',
      false) as continues
  from orders where type in ('STOP_LOSS', 'TAKE_PROFIT')),
chains as (
  select *, sum((not continues)::int) over (partition by account_id, symbol, side, type order by seq) as chain
  from versions),
origins as (
  select account_id, seq, continues,
    min(seq) over (partition by account_id, symbol, side, type, chain) as origin
  from chains)
update orders o set origin = f.origin
from origins f where f.continues and o.account_id = f.account_id and o.seq = f.seq;
comment on column orders.origin is 'Seq of the first version of an amended order';
create index orders_origin on orders (account_id, origin) where origin is not null;
-- Quotes that an admin declares wrong. The quotes are kept; a verdict that rested on them may be set aside.
create table quote_voids (
  id bigint generated always as identity primary key,
  symbol text not null references instruments (symbol),
  source_from timestamptz not null,
  source_before timestamptz not null,
  first_batch bigint not null,
  last_batch bigint not null,
  quotes integer not null check (quotes > 0),
  reason text not null,
  actor text not null,
  recorded_at timestamptz not null default clock_timestamp(),
  constraint quote_voids_span unique (symbol, source_from, source_before),
  check (source_from < source_before and first_batch <= last_batch)
);
grant select, insert on quote_voids to propdesk_app;
create trigger quote_voids_append_only before update or delete on quote_voids
  for each row execute function refuse_change();
create trigger quote_voids_no_truncate before truncate on quote_voids
  for each statement execute function refuse_change();
create index breaches_failures on breaches (batch) where consequence = 'FAIL';
comment on table quote_voids is 'A span of source times of a symbol whose quotes are declared wrong; the quotes are kept. Append only.';
comment on column quote_voids.source_from is 'First void source time';
comment on column quote_voids.source_before is 'End of the span: the first source time that is not void';
comment on column quote_voids.first_batch is 'Batch of the first void quote';
comment on column quote_voids.last_batch is 'Batch of the last void quote';
comment on column quote_voids.quotes is 'Number of void quotes';
comment on column quote_voids.actor is 'Role and name of the token';

-- A phase gets another run after a reinstatement.
alter table challenge_phases
  add column run smallint not null default 1 check (run > 0),
  add column superseded boolean not null default false,
  drop constraint challenge_phases_index,
  add constraint challenge_phases_index unique (challenge_id, phase_index, run);
create unique index challenge_phases_in_force on challenge_phases (challenge_id, phase_index) where not superseded;
comment on column challenge_phases.run is 'Number of the run, from 1; a reinstatement adds a run';
comment on column challenge_phases.superseded is 'Whether a later run of the phase replaces it';
create table reinstatements (
  id bigint generated always as identity primary key,
  challenge_id bigint not null references challenges (id),
  breach_id bigint not null references breaches (id),
  phase_id bigint not null references challenge_phases (id),
  new_phase_id bigint not null references challenge_phases (id),
  actor text not null,
  reason text not null,
  market_time timestamptz not null,
  figures jsonb not null,
  differences jsonb not null,
  left_out jsonb not null default '[]',
  recorded_at timestamptz not null default clock_timestamp(),
  constraint reinstatements_breach unique (breach_id),
  constraint reinstatements_phase unique (phase_id),
  constraint reinstatements_new_phase unique (new_phase_id)
);
create index reinstatements_challenge on reinstatements (challenge_id, id desc);
grant select, insert, delete on reinstatements to propdesk_app;
create trigger reinstatements_unchanged before update on reinstatements for each row execute function refuse_change();
comment on table reinstatements is 'A failing verdict that was set aside because it rested on void quotes; verdict and evidence stay.';
comment on column reinstatements.breach_id is 'Breach that is the evidence of the verdict';
comment on column reinstatements.phase_id is 'Failed run';
comment on column reinstatements.new_phase_id is 'Run that replaces it';
comment on column reinstatements.actor is 'Role and name of the token';
comment on column reinstatements.reason is 'Reason, for the client';
comment on column reinstatements.figures is 'Opening figures of the new run';
comment on column reinstatements.differences is 'Figures of the failed run that differ';
comment on column reinstatements.left_out is 'Fills of the failed run, by seq, that the new run leaves out';

-- Bulk reinstatements: a job for each challenge, one after the other.
create table bulk_reinstatements (
  id bigint generated always as identity primary key,
  brand text references brands (name),
  symbol text not null,
  source_from timestamptz not null,
  source_before timestamptz not null,
  actor text not null,
  reason text not null,
  shown text,
  recorded_at timestamptz not null default clock_timestamp()
);
create index bulk_reinstatements_brand on bulk_reinstatements (brand, id desc);
create table bulk_results (
  bulk_id bigint not null references bulk_reinstatements (id),
  challenge_id bigint not null,
  outcome text not null default 'PENDING' check (outcome in ('PENDING', 'REINSTATED', 'REFUSED')),
  code text,
  message text,
  decided_at timestamptz,
  primary key (bulk_id, challenge_id),
  check ((outcome = 'PENDING') = (decided_at is null) and (outcome = 'REFUSED') = (code is not null))
);
create index bulk_results_challenge on bulk_results (challenge_id);
create index bulk_results_pending on bulk_results (bulk_id, challenge_id) where outcome = 'PENDING';
grant select, insert, update on bulk_reinstatements to propdesk_app;
grant select, insert, update, delete on bulk_results to propdesk_app;
comment on table bulk_reinstatements is 'A request to set aside every verdict that rested on void quotes of a span, with a job for each challenge.';
comment on column bulk_reinstatements.brand is 'Null for all brands';
comment on column bulk_reinstatements.actor is 'Role and name of the token';
comment on column bulk_reinstatements.reason is 'Reason, for the firm';
comment on column bulk_reinstatements.shown is 'Reason, for each client; null for a neutral text';
comment on table bulk_results is 'A challenge affected by the quotes of a bulk reinstatement, and the outcome.';
comment on column bulk_results.code is 'Part of the refusal';
comment on column bulk_results.message is 'Part of the refusal';

-- The consequence CLOSE_DAY: open positions are closed, and none may be opened until the next day.
alter table breaches
  drop constraint breaches_consequence_check,
  add constraint breaches_consequence_check check (consequence in ('FAIL', 'PAUSE_DAY', 'CLOSE_DAY', 'WARN'));
-- The version of the program is stored next to the terms, for comparison with the current one. The ALTER TYPE to the
-- same type fills the column, because the table allows no update.
alter table terms add column program_version integer;
alter table terms
  alter column program_version type integer using (body::jsonb ->> 'program_version')::integer;
comment on column terms.program_version is 'Version of the program at the sale, as in the text';

-- The number of counters for unknown symbols becomes limited: those beyond the limit are merged into one for each
-- reason.
with kept as (
  select symbol, reason from dropped_quotes order by exists (select from instruments i
    where i.symbol = dropped_quotes.symbol) desc, count desc limit 1000),
gone as (
  delete from dropped_quotes d where not exists (
    select from kept k where (k.symbol, k.reason) = (d.symbol, d.reason)) returning reason, count, last_at)
insert into dropped_quotes (symbol, reason, count, last_at)
select '*', reason, sum(count), max(last_at) from gone group by reason;

-- Open sales of a client are counted at each sale.
create index challenges_open on challenges (brand, client) where status in (0, 1);
create index purchases_awaited on purchases (brand, client) where status = 0 and payment_reference is not null;
-- The limit on stored refusals of an account: the day of the last refused action, and the numbers of that day.
alter table balances
  add column refusals_end_at timestamptz,
  add column refusals_since bigint,
  add column refusals_stored bigint not null default 0,
  add column refusals_beyond bigint not null default 0;
comment on column balances.refusals_end_at is 'End of the day of the last refused action';
comment on column balances.refusals_since is 'Seq of the ledger row at the first refusal of that day';
comment on column balances.refusals_stored is 'Number of stored refusals of that day';
comment on column balances.refusals_beyond is 'Number of refusals of that day beyond the account''s share, which are not stored';

-- Each brand numbers its own objects, so that ids do not show how much other brands sell. An id is the brand's prefix
-- and, in twelve digits, the next number of the brand's own sequence. The first brand has prefix 0 and ids 1, 2, 3. The
-- prefix of another follows from its name, so that two replays give the same ids. Objects without a brand (ADMIN and
-- FEED tokens and what they create) have prefix 9001. All ids are below 2^53.
create schema brand_numbers;
grant usage on schema brand_numbers to propdesk_app;
alter table brands
  add column number_prefix smallint check (number_prefix between 0 and 9000),
  add constraint brands_number_prefix unique (number_prefix);
comment on column brands.number_prefix is 'First digits of the ids of its objects, before twelve more; 0: none';

-- The first free prefix, starting at the one derived from the sha256 of the name.
create function free_number_prefix(brand text) returns integer language sql as $$
  select case when not exists (select from brands where number_prefix is not null) then 0 else (
    select p.prefix from generate_series(0, 8999) i cross join lateral (
      select ((('x' || left(encode(sha256(convert_to(brand, 'UTF8')), 'hex'), 8))::bit(32)::bigint + i) % 9000 + 1)::integer
    ) p (prefix)
    where not exists (select from brands where number_prefix = p.prefix) order by i limit 1) end
$$;

-- The sequences of a brand, or of objects without a brand (''). Each continues after the used numbers of its prefix.
create function add_number_sequences(brand text, prefix bigint) returns void language plpgsql as $$
declare
  low bigint := prefix * 1000000000000;
  high bigint := low + 999999999999;
  kind text;
  place text[];
  last bigint;
begin
  foreach kind in array case brand when '' then array['tokens', 'audit', 'bulk_reinstatements'] else array[
    'tokens', 'account_groups', 'programs', 'program_phases', 'wallets', 'house_accounts', 'transfers', 'transfer',
    'purchases', 'challenges', 'challenge_phases', 'accounts', 'breaches', 'payouts', 'jobs', 'audit', 'reinstatements',
    'bulk_reinstatements'] end
  loop
    place := case kind when 'transfer' then array['transfers', 'transfer'] else array[kind, 'id'] end;
    execute format('select max(%2$I) from %1$I where %2$I between %3$s and %4$s',
      variadic place || array[low, high]::text[]) into last;
    last := coalesce(last, low + case kind when 'accounts' then 100000 else 0 end);
    execute format('create sequence brand_numbers.%I start with %s maxvalue %s', kind || ':' || brand, last + 1, high);
    execute format('grant usage on sequence brand_numbers.%I to propdesk_app', kind || ':' || brand);
  end loop;
end $$;

-- A new brand gets its prefix and sequences under a lock on the desk's row, so that no two brands get the same prefix.
create function number_brand() returns trigger language plpgsql security definer
set search_path = public, pg_temp as $$
begin
  perform 1 from desk for update;
  select number_prefix into new.number_prefix from brands where name = new.name;
  if not found then
    new.number_prefix := free_number_prefix(new.name);
    perform add_number_sequences(new.name, new.number_prefix);
  end if;
  return new;
end $$;

-- The brand of a row is in the column that the trigger names, or in the program or challenge of the row.
create function number_row() returns trigger language plpgsql as $$
declare
  owner text;
  numbers regclass;
begin
  if tg_argv[0] = 'brand' then
    owner := new.brand;
  elsif tg_argv[0] = 'chain' then
    owner := new.chain;
  elsif tg_argv[0] = 'program' then
    select brand into owner from public.programs where id = new.program_id;
  else
    select brand into owner from public.challenges where id = new.challenge_id;
  end if;
  numbers := to_regclass(format('brand_numbers.%I', tg_table_name || ':' || coalesce(owner, '')));
  if numbers is null then
    raise 'a row of % is of no brand that there is (%)', tg_table_name, owner using errcode = 'foreign_key_violation';
  end if;
  new.id := nextval(numbers);
  return new;
end $$;

-- On a desk with data the oldest brand continues after the used numbers, also those of deleted rows.
do $$
declare
  one record;
  first text;
begin
  for one in select name from brands order by created_at, name loop
    update brands set number_prefix = free_number_prefix(name) where name = one.name;
  end loop;
  perform add_number_sequences(name, number_prefix) from brands;
  perform add_number_sequences('', 9001);
  select name into first from brands where number_prefix = 0;
  for one in
    select kind, owner, coalesce(pg_get_serial_sequence(nullif(kind, 'transfer'), 'id'), 'transfer_number') as used,
      'brand_numbers.' || quote_ident(kind || ':' || first) as goes_on
    from (values ('tokens', 'brand'), ('account_groups', 'brand'), ('programs', 'brand'), ('program_phases', 'program'),
      ('wallets', 'brand'), ('house_accounts', 'brand'), ('transfers', 'brand'), ('transfer', null),
      ('purchases', 'brand'), ('challenges', 'brand'), ('challenge_phases', 'challenge'), ('accounts', 'brand'),
      ('breaches', 'challenge'), ('payouts', 'brand'), ('jobs', 'brand'), ('audit', 'chain'),
      ('reinstatements', 'challenge'), ('bulk_reinstatements', 'brand')) k (kind, owner)
  loop
    if first is not null then
      execute format('select setval(%L, u.last_value) from %s u cross join %s g
        where u.is_called and u.last_value >= g.last_value', one.goes_on, one.used, one.goes_on);
    end if;
    if one.owner is not null then
      execute format('alter table %I alter id drop identity', one.kind);
      execute format('create trigger %I before insert on %I for each row when (new.id is null)
        execute function number_row(%L)', one.kind || '_number', one.kind, one.owner);
    end if;
  end loop;
end $$;
drop sequence transfer_number;
alter table brands alter number_prefix set not null;
create trigger brands_number before insert on brands for each row execute function number_brand();

-- Jobs are executed in the order of their times, because ids rise within a brand only.
drop index jobs_queued;
create index jobs_queued on jobs (created_at, id) where status = 'QUEUED';

-- The position of an event in the API counts the events of its brand. Existing events keep their position.
alter table events add column brand_position bigint;
alter table events alter column brand_position type bigint using position, alter column brand_position set not null;
comment on column events.brand_position is 'Position among the events of its brand, without gaps since the second edition';
comment on column events.position is 'Position among all events, without gaps; not shown in the API';
create table brand_positions (brand text primary key, position bigint not null);
insert into brand_positions (brand, position)
select name, position from brands cross join event_position where position > 0;
grant select, insert, update, delete on brand_positions to propdesk_app;
comment on table brand_positions is 'The position of a brand''s newest event.';
-- After a restore to an earlier time, or a failover with data loss, new events get the numbers of lost ones. So events
-- and cursors contain the epoch of the event.
create table epochs (
  id bigint generated always as identity primary key,
  epoch bigint not null,
  server text not null,
  position bigint not null,
  batch bigint not null,
  began_at timestamptz not null default clock_timestamp(),
  constraint epochs_epoch unique (epoch)
);
insert into epochs (epoch, server, position, batch) values (0, '', 0, 0);
grant select, insert, update on epochs to propdesk_app;
comment on table epochs is 'An epoch of the database: a new one begins after a restore or a promotion.';
comment on column epochs.epoch is 'Number: 0 for the first epoch, then random, so that two restores never share one';
comment on column epochs.server is 'Timeline, number of the database and transaction by which it was written; empty until a process has looked';
comment on column epochs.position is 'Position of the newest event at its start; later events are of this or a later epoch';
comment on column epochs.batch is 'Newest batch at its start';
alter table events add column epoch bigint not null default 0;
comment on column events.epoch is 'Epoch of its writing';
-- Indexes for lists: each filter has an index in the list's order, and text filters use trigrams. pg_trgm and btree_gin
-- are contrib modules of PostgreSQL that the owner of a database may create.
create extension if not exists pg_trgm;
create extension if not exists btree_gin;
drop index challenges_brand, purchases_brand, accounts_brand, payouts_brand, jobs_brand,
  challenges_client, challenges_program, purchases_client, purchases_wallet, purchases_program, accounts_owner,
  accounts_clone, accounts_parent, transfers_wallet, transfers_house_account, transfers_account, payouts_wallet,
  audit_object, tokens_brand;
create index challenges_brand on challenges (brand, id);
create index purchases_brand on purchases (brand, id);
create index accounts_brand on accounts (brand, id);
create index payouts_brand on payouts (brand, id);
create index jobs_brand on jobs (brand, id);
create index challenges_client on challenges (brand, client, id);
create index challenges_status on challenges (brand, status, id);
create index challenges_program on challenges (program_id, id);
create index challenges_created_at on challenges (brand, created_at);
create index challenges_search on challenges using gin (brand, client gin_trgm_ops) with (fastupdate = off);
create index purchases_client on purchases (brand, client, id);
create index purchases_status on purchases (brand, status, id);
create index purchases_wallet on purchases (wallet_id, id);
create index purchases_program on purchases (program_id, id);
create index purchases_created_at on purchases (brand, created_at);
create index purchases_search on purchases
  using gin (brand, client gin_trgm_ops, external_reference gin_trgm_ops, tags) with (fastupdate = off);
create index accounts_owner on accounts (brand, owner, id);
create index accounts_clone on accounts (brand, clone, id);
create index accounts_clone_challenge on accounts (brand, clone, challenge_id) where challenge_id is not null;
create index accounts_group on accounts (brand, group_name, id);
create index accounts_status on accounts (brand, status, id);
create index accounts_mode on accounts (brand, mode, id);
create index accounts_parent on accounts (parent_id, id);
create index accounts_search on accounts
  using gin (brand, owner gin_trgm_ops, clone gin_trgm_ops, group_name gin_trgm_ops) with (fastupdate = off);
create index programs_order on programs (brand, sort_index, id);
create index programs_order_all on programs (sort_index, id);
create index programs_search on programs using gin (brand, name gin_trgm_ops) with (fastupdate = off);
create index wallets_brand on wallets (brand, id);
create index wallets_client on wallets (brand, client, id);
create index transfers_wallet on transfers (wallet_id, id) where wallet_id is not null;
create index transfers_house_account on transfers (house_account_id, id) where house_account_id is not null;
create index transfers_account on transfers (account_id, id) where account_id is not null;
create index transfers_kind on transfers (brand, kind, id);
create index transfers_recorded_at on transfers (brand, recorded_at);
create index payouts_wallet on payouts (wallet_id, id);
create index payouts_status on payouts (brand, status, id);
create index payouts_created_at on payouts (brand, created_at);
create index jobs_status on jobs (brand, status, id);
create index jobs_kind on jobs (brand, kind, id);
create index audit_chain on audit (chain, id);
create index audit_chain_recorded_at on audit (chain, recorded_at);
create index audit_object_kind on audit (chain, object_kind, id);
create index audit_object_id on audit (chain, object_id, id);
create index audit_actor on audit (chain, actor, id);
create index audit_operation on audit (chain, operation, id);
create index audit_request on audit (request_id);
create index tokens_brand on tokens (brand, id);
-- The owner of a challenge's account is the client, for the filter of lists.
update accounts a set owner = c.client from challenges c where c.id = a.challenge_id and a.owner is distinct from c.client;

-- The batch of a symbol's first quote at or after a time, or the batch after its last. A binary search, because the
-- quotes of a symbol are accepted in the order of their source times.
create function quote_batch_at(instrument text, moment timestamptz) returns bigint language plpgsql stable strict as $$
declare
  low bigint := 0;
  high bigint;
  middle bigint;
  newest bigint;
  newest_time timestamptz;
begin
  select batch + 1 into high from quotes where symbol = instrument order by batch desc limit 1;
  while high - low > 1 loop
    middle := (low + high) / 2;
    select batch, source_time into newest, newest_time from quotes
    where symbol = instrument and batch > low and batch <= middle order by batch desc limit 1;
    if newest is null or newest_time < moment then
      low := middle;
    else
      high := newest;
    end if;
  end loop;
  return high;
end $$;

-- A program with many sales is deleted in portions: the progress, and a record of each deleted sale.
create table removals (
  program_id bigint primary key,
  counters jsonb not null,
  hash text not null,
  began_at timestamptz not null default clock_timestamp()
);
grant select, insert, update, delete on removals to propdesk_app;
comment on table removals is 'A deletion of a program that is not complete.';
comment on column removals.counters is 'Rows deleted so far, by table';
comment on column removals.hash is 'sha256 over the sales deleted so far, as hex';
create table removed_sales (
  id bigint generated always as identity primary key,
  program_id bigint not null,
  purchase_id bigint,
  challenge_id bigint,
  body text not null,
  removed_at timestamptz not null default clock_timestamp()
);
create index removed_sales_program on removed_sales (program_id, id);
create index removed_sales_purchase on removed_sales (purchase_id);
grant select, insert on removed_sales to propdesk_app;
comment on table removed_sales is 'A sale that was deleted with its program; append only.';
comment on column removed_sales.challenge_id is 'Null if the purchase had no challenge';
comment on column removed_sales.body is 'Purchase and challenge with verdicts, as the hashed JSON';

-- The number of shards is in one row. Each shard has one owner, whose writes require its fencing number.
alter table desk add column shards integer not null default 1,
  add constraint desk_shards check (shards between 1 and 64);
grant update (shards) on desk to propdesk_app;
alter table shards add column owner text, add column fence bigint not null default 0;
update desk set shards = (select least(greatest(count(*), 1), 64) from shards);
insert into shards (shard) select 0 where not exists (select from shards);
comment on column desk.shards is 'Number of shards of the accounts';
comment on column shards.owner is 'Process that took it last; null once it was released';
comment on column shards.fence is 'Fencing number: each owner raises it, and each write of an owner requires it';
-- Bearers that have written lately: a standby must have replayed their writes before it answers them.
create table bearer_writes (
  bearer text primary key,
  wrote_at timestamptz not null default clock_timestamp()
);
grant select, insert, update, delete on bearer_writes to propdesk_app;
comment on table bearer_writes is 'A bearer that writes, recorded at most once a second.';
comment on column bearer_writes.wrote_at is 'Time shortly before its newest mutation';
-- The result of the newest check of the books, for monitoring.
create table book_check (
  id smallint primary key default 1 check (id = 1),
  violations bigint not null check (violations >= 0),
  finished_at timestamptz not null default clock_timestamp()
);
grant select, insert, update on book_check to propdesk_app;
comment on table book_check is 'One row: the result of the newest check of the books; no row before the first.';
