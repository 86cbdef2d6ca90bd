-- The desk's tables. Written by hand: the ORM's generator drops CHECKs, partial indexes and indexes of foreign keys.
-- Ledger, metrics, quotes, outbox and events carry no foreign keys (one triples the cost of an append); `verify` checks them.

-- A role that is there already may be a DBA's work, for an owner who may neither create nor grant roles.
do $$
begin
  if to_regrole('propdesk_app') is null then
    create role propdesk_app nologin;
  end if;
exception
  when duplicate_object then null;
  when unique_violation then null;
end $$;

do $$
begin
  execute format('grant propdesk_app to %I', current_user);
exception
  when insufficient_privilege then null;
end $$;

create domain money8 as numeric(28, 8) check (value <> 'NaN');
create domain cost18 as numeric(38, 18) check (value <> 'NaN');

-- aerich's own: which migrations ran.
create table aerich (
  id serial primary key,
  version varchar(255) not null,
  app varchar(100) not null,
  content jsonb not null
);

-- One row: what kind of database this is.
create table desk (
  id smallint primary key default 1 check (id = 1),
  mode text not null default 'SYSTEM' check (mode in ('SYSTEM', 'REPLAY')),
  created_at timestamptz not null default now()
);
insert into desk default values;

create table brands (
  name text primary key check (name ~ '^[a-z][a-z0-9_-]{0,31}$'),
  title text not null,
  sample boolean not null default false,
  created_at timestamptz not null default now()
);

create table tokens (
  id bigint generated always as identity primary key,
  brand text references brands (name),
  role text not null check (role in ('ADMIN', 'MANAGER', 'CLIENT', 'TRADER', 'FEED')),
  name text not null check (length(name) between 1 and 100),
  subject text,  -- the client a CLIENT token speaks for
  prefix text not null,
  hash bytea not null unique,
  scope jsonb not null default '{}',
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  constraint tokens_brand_by_role check ((brand is null) = (role in ('ADMIN', 'FEED'))),
  constraint tokens_client_has_subject check (role <> 'CLIENT' or subject is not null)
);
create index tokens_brand on tokens (brand);

create table currencies (
  code text primary key check (code ~ '^[A-Z0-9]{2,10}$'),
  minor_units smallint not null check (minor_units between 0 and 8),
  par text not null
);
insert into currencies (code, minor_units, par) values
  ('USD', 2, 'USD'), ('USDC', 2, 'USD'), ('USDT', 2, 'USDT'), ('EUR', 2, 'EUR'), ('GBP', 2, 'GBP'), ('JPY', 0, 'JPY'),
  ('CHF', 2, 'CHF'), ('AUD', 2, 'AUD'), ('NZD', 2, 'NZD'), ('CAD', 2, 'CAD'), ('XAU', 4, 'XAU'), ('XAG', 4, 'XAG'),
  ('BTC', 8, 'BTC'), ('ETH', 8, 'ETH'), ('LTC', 8, 'LTC');

create table instruments (
  symbol text primary key check (symbol ~ '^[A-Z0-9][A-Z0-9._-]{0,31}$'),
  base_currency text not null references currencies (code),
  quote_currency text not null references currencies (code),
  price_precision smallint not null check (price_precision between 0 and 8),
  quantity_step money8 not null check (quantity_step > 0),
  quantity_min money8 not null check (quantity_min > 0),
  created_at timestamptz not null default now()
);
create index instruments_base_currency on instruments (base_currency);
create index instruments_quote_currency on instruments (quote_currency);

-- Raised with every change of instruments or currencies, so that processes know when to read them again.
create table catalogue_version (
  id smallint primary key default 1 check (id = 1),
  version bigint not null default 1
);
insert into catalogue_version default values;

create table account_groups (
  id bigint generated always as identity primary key,
  brand text not null references brands (name),
  name text not null check (length(name) between 1 and 64),
  kind text not null check (kind in ('DEMO', 'REAL')),
  currency text not null references currencies (code),
  default_deposit money8 not null check (default_deposit > 0),
  policy jsonb not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint account_groups_name unique (brand, name)
);
create index account_groups_currency on account_groups (currency);

create table programs (
  id bigint generated always as identity primary key,
  brand text not null references brands (name),
  name text not null check (length(name) between 1 and 200),
  description text not null default '',
  price money8 not null check (price >= 0),
  price_currency text not null references currencies (code),
  status smallint not null default 1 check (status between 0 and 2),
  sort_index integer not null default 0,
  zone text not null default 'UTC',
  day_start time not null default '00:00',
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index programs_brand on programs (brand, status, sort_index, id);
create index programs_price_currency on programs (price_currency);

-- Percentages are the source's, 5 = 5 %; `limits` holds the axes of each limit (design, section 6).
create table program_phases (
  id bigint generated always as identity primary key,
  program_id bigint not null references programs (id) on delete cascade,
  phase_index smallint not null check (phase_index >= 1),
  phase_type smallint not null check (phase_type in (0, 1)),
  name text not null check (length(name) between 1 and 200),
  account_group_id bigint not null references account_groups (id),
  duration_days integer not null default 0 check (duration_days >= 0),
  max_daily_loss_pct money8 not null default 0 check (max_daily_loss_pct between 0 and 100),
  max_total_loss_pct money8 not null default 0 check (max_total_loss_pct between 0 and 100),
  max_daily_profit_pct money8 not null default 0 check (max_daily_profit_pct >= 0),
  profit_target_pct money8 not null default 0 check (profit_target_pct >= 0),
  profit_split money8 not null default 0 check (profit_split between 0 and 1),
  min_trading_days integer not null default 0 check (min_trading_days >= 0),
  max_trading_days integer not null default 0 check (max_trading_days >= 0),
  max_positions integer not null default 0 check (max_positions >= 0),
  best_day_pct money8 not null default 0 check (best_day_pct between 0 and 100),
  profitable_days integer not null default 0 check (profitable_days >= 0),
  profitable_day_pct money8 not null default 0 check (profitable_day_pct between 0 and 100),
  inactivity_days integer not null default 0 check (inactivity_days >= 0),
  limits jsonb not null default '{}',
  warn_at jsonb not null default '[]',  -- shares of each limit at which its use is told, as text
  payout jsonb not null default '{}',  -- when its profit may be asked for
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint program_phases_index unique (program_id, phase_index),
  constraint program_phases_split_on_funded check (profit_split = 0 or phase_type = 1)
);
create unique index program_phases_one_funded on program_phases (program_id) where phase_type = 1;
create index program_phases_account_group on program_phases (account_group_id);

-- Real money.
create table wallets (
  id bigint generated always as identity primary key,
  brand text not null references brands (name),
  client text not null check (length(client) between 1 and 100),
  currency text not null references currencies (code),
  cash money8 not null default 0 check (cash >= 0),
  reserved money8 not null default 0 check (reserved >= 0),
  created_at timestamptz not null default now(),
  constraint wallets_owner unique (brand, client, currency),
  constraint wallets_free check (cash - reserved >= 0)
);
create index wallets_currency on wallets (currency);

create table house_accounts (
  id bigint generated always as identity primary key,
  brand text not null references brands (name),
  currency text not null references currencies (code),
  purpose text not null check (purpose in ('TREASURY', 'EXTERNAL', 'CAPITAL', 'PAYOUT_HOLD')),
  balance money8 not null default 0,
  constraint house_accounts_purpose unique (brand, currency, purpose)
);
create index house_accounts_currency on house_accounts (currency);

create sequence transfer_number;

-- Each movement is a pair of rows sharing `transfer`; their amounts sum to zero.
create table transfers (
  id bigint generated always as identity primary key,
  transfer bigint not null,
  brand text not null references brands (name),
  kind text not null check (kind in ('FEE', 'REFUND', 'DEPOSIT', 'PAYOUT_PROFIT', 'PAYOUT_SHARE', 'TOP_UP', 'WITHDRAWAL')),
  money text not null check (money in ('REAL', 'SYNTHETIC')),
  wallet_id bigint references wallets (id),
  house_account_id bigint references house_accounts (id),
  account_id bigint,
  account_seq bigint,  -- the ledger row that booked it
  currency text not null,
  amount money8 not null check (amount <> 0),
  cause text not null,
  market_time timestamptz not null,
  recorded_at timestamptz not null default clock_timestamp(),
  constraint transfers_one_holder check (num_nonnulls(wallet_id, house_account_id, account_id) = 1),
  constraint transfers_in_ledger check ((account_id is null) = (account_seq is null))
);
create index transfers_transfer on transfers (transfer);
create index transfers_wallet on transfers (wallet_id) where wallet_id is not null;
create index transfers_house_account on transfers (house_account_id) where house_account_id is not null;
create index transfers_account on transfers (account_id) where account_id is not null;
create index transfers_brand on transfers (brand, id);

-- Terms as sold, by hash; written once, never changed.
create table terms (
  hash text primary key,
  version integer not null,
  body text not null
);

create table purchases (
  id bigint generated always as identity primary key,
  brand text not null references brands (name),
  client text not null,
  wallet_id bigint not null references wallets (id),
  program_id bigint references programs (id),
  terms_hash text not null references terms (hash),
  price money8 not null check (price >= 0),
  currency text not null references currencies (code),
  status smallint not null check (status between 0 and 5),
  paid_from text check (paid_from in ('WALLET', 'OUTSIDE')),  -- null until it is paid
  failure_reason text,
  external_reference text,
  comment text,
  tags text[] not null default '{}',
  created_at timestamptz not null,
  updated_at timestamptz not null,
  recorded_at timestamptz not null default clock_timestamp()
);
create index purchases_brand on purchases (brand, id desc);
create index purchases_client on purchases (brand, client, id desc);
create index purchases_wallet on purchases (wallet_id);
create index purchases_program on purchases (program_id);
create index purchases_terms on purchases (terms_hash);
create index purchases_currency on purchases (currency);

create table challenges (
  id bigint generated always as identity primary key,
  brand text not null references brands (name),
  client text not null,
  purchase_id bigint references purchases (id) on delete set null,
  program_id bigint references programs (id),
  terms_hash text not null references terms (hash),
  status smallint not null check (status between 0 and 4),
  current_phase_index smallint not null default 1,
  account_id bigint,
  created_at timestamptz not null,
  ended_at timestamptz,
  end_reason text,
  recorded_at timestamptz not null default clock_timestamp()
);
create unique index challenges_one_live on challenges (purchase_id) where status in (0, 1);
create index challenges_purchase on challenges (purchase_id);
create index challenges_brand on challenges (brand, id desc);
create index challenges_client on challenges (brand, client, id desc);
create index challenges_program on challenges (program_id);
create index challenges_terms on challenges (terms_hash);
create index challenges_account on challenges (account_id);

-- An account's number is its id and its login.
create table accounts (
  id bigint generated always as identity (start with 100001) primary key,
  brand text not null references brands (name),
  challenge_id bigint references challenges (id) on delete set null,  -- without one it is its own lock root
  group_name text not null,
  mode text not null check (mode in ('AUDITION', 'EVALUATION', 'FUNDED', 'RACE')),
  status text not null default 'PENDING'
    check (status in ('PENDING', 'ACTIVE', 'PAUSED', 'LOCKED', 'COMPLETED', 'LIQUIDATED')),
  read_only boolean not null default false,
  blocked_until timestamptz,
  locked_from text,  -- the status a lock was put on
  owner text,
  clone text,
  parent_id bigint references accounts (id),
  currency text not null references currencies (code),
  policy text not null,
  starting_balance money8 not null check (starting_balance > 0),
  result jsonb,  -- final snapshot of an ended account
  created_at timestamptz not null,
  started_at timestamptz,
  ended_at timestamptz,
  recorded_at timestamptz not null default clock_timestamp()
);
create index accounts_challenge on accounts (challenge_id);
create index accounts_brand on accounts (brand, id desc);
create index accounts_owner on accounts (brand, owner);
create index accounts_clone on accounts (brand, clone);
create index accounts_parent on accounts (parent_id);
create index accounts_currency on accounts (currency);

create table challenge_phases (
  id bigint generated always as identity primary key,
  challenge_id bigint not null references challenges (id),
  phase_index smallint not null,
  phase_type smallint not null,
  account_id bigint not null references accounts (id),
  status smallint not null check (status between 0 and 4),
  initial_balance money8 not null,
  start_equity money8,
  started_at timestamptz,
  ended_at timestamptz,
  end_reason text,
  constraint challenge_phases_index unique (challenge_id, phase_index)
);
create unique index challenge_phases_one_running on challenge_phases (challenge_id) where status = 1;
create unique index challenge_phases_account on challenge_phases (account_id);

-- The fold's state of each account: money, version, chain head, and the running day of its phase.
-- The only rows the marker locks.
create table balances (
  account_id bigint primary key references accounts (id),
  cash money8 not null default 0,
  realised money8 not null default 0,
  fees money8 not null default 0,
  unrealised money8 not null default 0,
  equity money8 not null default 0,
  high_watermark money8 not null default 0,
  seq bigint not null default 0,
  head bytea not null,
  marked_through bigint not null default 0,
  marked_at timestamptz,
  ledger_due_at timestamptz,
  live boolean not null default false,  -- marked: its phase runs or it holds a position
  day integer,
  day_date date,
  day_ends_at timestamptz,
  day_start_balance money8,
  day_start_equity money8,
  day_low money8,
  day_high money8,
  peak_equity money8,
  peak_balance money8,
  peak_end_of_day money8,
  day_traded boolean not null default false,
  days_traded integer not null default 0,
  days_profitable integer not null default 0,
  best_day_profit money8 not null default 0,
  last_fill_day integer not null default 1,
  day_findings text[] not null default '{}',
  metric_due_at timestamptz,
  touched xid8 not null default pg_current_xact_id(),  -- by anything but a mark: so the marker finds what changed
  constraint balances_equity check (equity = cash + unrealised)
) with (fillfactor = 80);
create index balances_live on balances (account_id) where live;
create index balances_touched on balances (touched);

-- Everything an account makes is named by the ledger row that made it: (account_id, seq). It is written under the lock
-- on the account's row, at a symbol of the catalogue read there, and neither can be deleted: so that they exist is not
-- asked again for each row, which took a quarter of an action's statement.
create table decision_actions (
  account_id bigint not null,
  seq bigint not null,
  run text not null,
  action_id text not null,
  content jsonb not null,  -- what was given beside these two
  status text not null check (status in ('EXECUTED', 'WORKING', 'REJECTED')),
  refusal jsonb,
  quote jsonb not null default '{}',
  order_seq bigint,
  market_time timestamptz not null,
  batch bigint not null,
  recorded_at timestamptz not null default clock_timestamp(),
  primary key (account_id, seq),
  constraint decision_actions_once unique (account_id, run, action_id)
);
create index decision_actions_status on decision_actions (account_id, status, seq);

create table orders (
  account_id bigint not null,
  seq bigint not null,
  action_seq bigint,
  symbol text not null,
  side text not null check (side in ('LONG', 'SHORT')),
  verb text not null check (verb in ('OPEN', 'INCREASE', 'REDUCE', 'CLOSE')),
  quantity money8 not null check (quantity > 0),
  status text not null check (status in ('WORKING', 'FILLED', 'CANCELLED', 'REJECTED', 'VOID')),
  reason text not null,
  placed_at timestamptz not null,
  batch bigint not null,
  type text not null check (type in ('MARKET', 'LIMIT', 'STOP', 'STOP_LOSS', 'TAKE_PROFIT')),
  price money8 check (price > 0),  -- at which it triggers
  stop_loss money8 check (stop_loss > 0),  -- of the position it opens or adds to
  take_profit money8 check (take_profit > 0),
  ended_at timestamptz,
  outcome jsonb not null default '{}',  -- why it was cancelled, or the gate that refused it
  primary key (account_id, seq),
  constraint orders_rest_at_a_price check ((type = 'MARKET') = (price is null)),
  constraint orders_end check ((status = 'WORKING') = (ended_at is null))
);
create index orders_symbol on orders (symbol, account_id, seq);
create index orders_status on orders (account_id, status, seq);

create table positions (
  account_id bigint not null,
  seq bigint not null,
  symbol text not null,
  side text not null check (side in ('LONG', 'SHORT')),
  status text not null check (status in ('OPEN', 'CLOSED')),
  quantity money8 not null check (quantity >= 0),
  cost_basis cost18 not null check (cost_basis >= 0),
  realised money8 not null default 0,
  fees money8 not null default 0,
  opened_at timestamptz not null,
  closed_at timestamptz,
  primary key (account_id, seq),
  constraint positions_open_has_quantity check ((status = 'OPEN') = (quantity > 0))
);
create unique index positions_one_open on positions (account_id, symbol, side) where status = 'OPEN';
create index positions_symbol on positions (symbol, account_id, seq);
create index positions_status on positions (account_id, status, seq);

create table fills (
  account_id bigint not null,
  seq bigint not null,
  order_seq bigint not null,
  position_seq bigint not null,
  symbol text not null,  -- its order's
  side text not null check (side in ('LONG', 'SHORT')),
  verb text not null check (verb in ('OPEN', 'INCREASE', 'REDUCE', 'CLOSE')),
  status text not null default 'BOOKED' check (status in ('BOOKED', 'VOID')),
  quantity money8 not null check (quantity > 0),
  price money8 not null check (price > 0),
  fee money8 not null check (fee >= 0),
  rate cost18 not null check (rate > 0),
  realised money8 not null,
  filled_at timestamptz not null,
  batch bigint not null,
  quote_time timestamptz not null,
  primary key (account_id, seq),
  constraint fills_order foreign key (account_id, order_seq) references orders (account_id, seq),
  constraint fills_position foreign key (account_id, position_seq) references positions (account_id, seq)
);
create unique index fills_one_per_order on fills (account_id, order_seq);
create index fills_of_position on fills (account_id, position_seq);
create index fills_symbol on fills (symbol, account_id, seq);

-- Partitioned by the real time of recording, so that a replay of old quotes needs no old partitions.
create table ledger (
  account_id bigint not null,
  seq bigint not null,
  kind text not null,
  amount money8 not null,
  balance_after money8 not null,
  market_time timestamptz not null,
  batch bigint not null,
  facts jsonb not null,
  hash bytea not null,
  recorded_at timestamptz not null default clock_timestamp(),
  primary key (account_id, seq, recorded_at)
) partition by range (recorded_at);
create index ledger_kind on ledger (account_id, kind, seq);

-- How many rows the account's ledger had before a time of the market's clock, plus one: the first row from then on.
-- Found by halves, for market times rise with seq. They may fall by the moments between an action and a batch whose
-- number it could not yet see, so callers allow for an hour and compare the times of what they find.
create function ledger_seq_at(account bigint, moment timestamptz) returns bigint language plpgsql stable strict as $$
declare
  low bigint := 0;
  high bigint;
  middle bigint;
  middle_time timestamptz;
begin
  select seq + 1 into high from ledger where account_id = account order by seq desc limit 1;
  while high - low > 1 loop
    middle := (low + high) / 2;
    select market_time into middle_time from ledger where account_id = account and seq = middle;
    if middle_time < moment then
      low := middle;
    else
      high := middle;
    end if;
  end loop;
  return high;
end $$;

create table metrics (
  challenge_id bigint not null,
  phase_id bigint not null,
  account_id bigint not null,
  market_time timestamptz not null,
  batch bigint not null,
  balance money8 not null,
  equity money8 not null,
  day_start_balance money8 not null,
  day_start_equity money8 not null,
  day_low money8 not null,
  day_high money8 not null,
  peak_equity money8 not null,
  recorded_at timestamptz not null default clock_timestamp()
) partition by range (recorded_at);
create index metrics_newest on metrics (challenge_id, phase_id desc, batch desc);

create table days (
  phase_id bigint not null references challenge_phases (id),
  number integer not null,
  date date not null,
  start_balance money8 not null,
  start_equity money8 not null,
  balance money8 not null,
  equity money8 not null,
  low money8 not null,
  high money8 not null,
  traded boolean not null,
  ends_at timestamptz not null,
  closed boolean not null,
  primary key (phase_id, number)
);

create table breaches (
  id bigint generated always as identity primary key,
  challenge_id bigint not null references challenges (id),
  phase_id bigint not null references challenge_phases (id),
  account_id bigint not null references accounts (id),
  rule text not null,
  consequence text not null check (consequence in ('FAIL', 'PAUSE_DAY', 'WARN')),
  day integer not null,
  day_date date not null,
  market_time timestamptz not null,
  batch bigint not null,
  "limit" money8 not null,
  floor money8 not null,
  observed money8 not null,
  headroom money8 not null,
  derivation jsonb not null,
  ledger_seq bigint not null,
  ledger_hash bytea not null,
  terms_hash text not null references terms (hash),
  recorded_at timestamptz not null default clock_timestamp(),
  constraint breaches_once_a_day unique (phase_id, rule, day)
);
create unique index breaches_one_failure on breaches (phase_id) where consequence = 'FAIL';
create index breaches_challenge on breaches (challenge_id, id desc);
create index breaches_account on breaches (account_id);
create index breaches_terms on breaches (terms_hash);

create table payouts (
  id bigint generated always as identity primary key,
  brand text not null references brands (name),
  challenge_id bigint not null,  -- it and the phase may be deleted with their program; the payout stays
  phase_id bigint not null,
  account_id bigint not null references accounts (id),
  wallet_id bigint not null references wallets (id),
  status text not null check (status in ('REQUESTED', 'APPROVED', 'PAID', 'REJECTED', 'CANCELLED')),
  currency text not null,
  profit money8 not null check (profit > 0),
  split money8 not null check (split > 0 and split <= 1),
  amount money8 not null check (amount >= 0 and amount <= profit),
  day integer not null check (day >= 1),  -- of the phase, on which it was asked for
  created_at timestamptz not null,
  decided_at timestamptz,
  paid_at timestamptz,
  reason text,  -- why it was turned down
  constraint payouts_decided check ((decided_at is null) = (status = 'REQUESTED')),
  constraint payouts_paid check ((paid_at is not null) = (status = 'PAID'))
);
create unique index payouts_one_open on payouts (challenge_id) where status in ('REQUESTED', 'APPROVED');
create index payouts_challenge on payouts (challenge_id);
create index payouts_phase on payouts (phase_id);
create index payouts_account on payouts (account_id);
create index payouts_wallet on payouts (wallet_id);
create index payouts_brand on payouts (brand, id desc);

-- Side effects owed, written with their cause. `waits_for_batch`: not before that batch is there.
create table jobs (
  id bigint generated always as identity primary key,
  brand text not null references brands (name),
  kind text not null,
  challenge_id bigint,  -- may be deleted with its program; the job stays
  account_id bigint references accounts (id),
  facts jsonb not null default '{}',
  status text not null default 'QUEUED' check (status in ('QUEUED', 'DONE', 'DEAD')),
  attempts smallint not null default 0,
  waits_for_batch bigint,
  due_at timestamptz not null default now(),
  outcome text,
  created_at timestamptz not null default clock_timestamp(),
  done_at timestamptz
);
create index jobs_queued on jobs (id) where status = 'QUEUED';
create index jobs_dead on jobs (id) where status = 'DEAD';
create index jobs_challenge on jobs (challenge_id);
create index jobs_account on jobs (account_id);
create index jobs_brand on jobs (brand, id desc);

-- Who changed what and why: one row for each mutation of a manager or an admin, chained by sha256 within its brand.
-- What belongs to no brand is in the chain ''.
create table audit (
  id bigint generated always as identity primary key,
  chain text not null,
  seq bigint not null,
  actor text not null,
  role text not null,
  operation text not null,
  object_kind text not null,
  object_id text not null,
  reason text not null,
  before jsonb not null,
  after jsonb not null,
  request_id text not null,
  recorded_at timestamptz not null,
  hash bytea not null,
  constraint audit_seq unique (chain, seq)
);
create index audit_object on audit (object_kind, object_id, id desc);
create index audit_recorded_at on audit (recorded_at);

create table audit_heads (
  chain text primary key,
  seq bigint not null,
  head bytea not null
);

create table receipts (
  brand text not null,
  principal text not null,
  operation text not null,
  key text not null check (length(key) between 1 and 200),
  content jsonb not null,
  answer jsonb,
  created_at timestamptz not null default clock_timestamp(),
  primary key (brand, principal, operation, key)
);

-- Quotes: batches are numbered densely in commit order.
create table batches (
  number bigint primary key,
  market_time timestamptz not null,
  quotes integer not null,
  recorded_at timestamptz not null default clock_timestamp()
);

create table quotes (
  batch bigint not null,
  symbol text not null,
  bid money8 not null,
  ask money8 not null,
  source_time timestamptz not null,
  primary key (batch, symbol)
);
create index quotes_of_symbol on quotes (symbol, batch desc) include (bid, ask, source_time);

create table latest_quotes (
  symbol text primary key references instruments (symbol),
  batch bigint not null,
  bid money8 not null,
  ask money8 not null,
  source_time timestamptz not null
);

create table dropped_quotes (
  symbol text not null,
  reason text not null,
  count bigint not null,
  last_at timestamptz not null,
  primary key (symbol, reason)
);

create table outbox (
  id bigint generated always as identity primary key,
  brand text not null,
  challenge_id bigint not null,
  client text,  -- whose challenge it was, which may be deleted
  name text not null,
  payload jsonb not null,
  market_time timestamptz not null,
  written_at timestamptz not null default clock_timestamp()  -- just before its transaction commits
);

create table events (
  position bigint primary key,
  brand text not null,
  challenge_id bigint not null,
  number bigint not null,  -- dense within the challenge
  client text,
  name text not null,
  payload jsonb not null,
  market_time timestamptz not null,
  recorded_at timestamptz not null,  -- when it was written into the outbox
  constraint events_number unique (challenge_id, number)
);

create table challenge_numbers (
  challenge_id bigint primary key,
  number bigint not null
);

create table event_position (
  id smallint primary key default 1 check (id = 1),
  position bigint not null default 0,  -- of the newest event
  forgotten bigint not null default 0  -- events up to this position are no longer kept
);
insert into event_position default values;

-- How much of what grows with time is no longer kept, as the operator's settings say; `event_position` has the events'.
create table retention (
  id smallint primary key default 1 check (id = 1),
  quotes_forgotten bigint not null default 0,  -- batches up to this number are gone, their quotes but each symbol's last
  metrics_forgotten timestamptz  -- metrics recorded before this are gone
);
insert into retention default values;

-- Of forgotten batches each symbol's last quote stays, by which the market as of the last of them is known.
create table standing_quotes (
  symbol text primary key references instruments (symbol),
  batch bigint not null
);

-- How far each marker shard has judged.
create table shards (
  shard integer primary key,
  through bigint not null default 0,
  passes bigint not null default 0,
  updated_at timestamptz not null default clock_timestamp()
);

create table heartbeats (
  process text primary key,
  kind text not null,
  started_at timestamptz not null,
  beat_at timestamptz not null
);

create table periodic_slots (
  name text not null,
  slot timestamptz not null,
  primary key (name, slot)
);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op) using errcode = 'restrict_violation';
end $$;

create trigger ledger_append_only before update or delete on ledger for each row execute function refuse_change();
create trigger ledger_no_truncate before truncate on ledger for each statement execute function refuse_change();
create trigger terms_append_only before update or delete on terms for each row execute function refuse_change();
create trigger terms_no_truncate before truncate on terms for each statement execute function refuse_change();
create trigger transfers_append_only before update or delete on transfers for each row execute function refuse_change();
create trigger transfers_no_truncate before truncate on transfers for each statement execute function refuse_change();
create trigger audit_append_only before update or delete on audit for each row execute function refuse_change();
create trigger audit_no_truncate before truncate on audit for each statement execute function refuse_change();
create trigger breaches_unchanged before update on breaches for each row execute function refuse_change();

-- Monthly partitions from this month on; called by the migration and once a day.
create function ensure_partitions(months integer) returns integer language plpgsql security definer
set search_path = public as $$
declare
  parent text;
  month date;
  child text;
  made integer := 0;
begin
  foreach parent in array array['ledger', 'metrics'] loop
    for i in 0 .. months loop
      month := (date_trunc('month', now() at time zone 'UTC') + make_interval(months => i))::date;
      child := format('%s_%s', parent, to_char(month, 'YYYYMM'));
      if to_regclass(child) is null then
        execute format(
          'create table %I partition of %I for values from (%L) to (%L)', child, parent,
          month::timestamp at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
        if parent = 'ledger' then
          execute format('create trigger %I before truncate on %I for each statement execute function refuse_change()',
            child || '_no_truncate', child);
        end if;
        execute format('grant select, insert on %I to propdesk_app', child);
        made := made + 1;
      end if;
    end loop;
  end loop;
  return made;
end $$;

-- Drop the oldest month of metrics once all of it was recorded more than so many days ago; was there one? Whoever reads
-- or writes metrics is waited for only shortly, as everybody else waits behind this: then it is for another time.
create function forget_metrics(keep_days integer) returns boolean language plpgsql security definer
set search_path = public set lock_timeout = '100ms' as $$
declare
  month text;
  month_ends_at timestamptz;
begin
  if keep_days < 1 then
    raise 'metrics are kept for a day at least, not for %', keep_days using errcode = 'invalid_parameter_value';
  end if;
  select c.relname, (to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month') at time zone 'UTC'
  into month, month_ends_at
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'metrics'::regclass order by c.relname limit 1;
  if month is null or month_ends_at > clock_timestamp() - make_interval(days => keep_days) then
    return false;
  end if;
  execute format('drop table %I', month);
  update retention set metrics_forgotten = month_ends_at;
  return true;
exception
  when lock_not_available then return false;
end $$;

grant usage on schema public to propdesk_app;
grant select, insert, update, delete on all tables in schema public to propdesk_app;
revoke update, delete on ledger, terms, transfers, audit from propdesk_app;
revoke update on breaches from propdesk_app;
revoke delete on accounts, balances, decision_actions, orders, positions, fills, instruments, currencies
  from propdesk_app;
revoke insert, update, delete on desk, aerich from propdesk_app;
grant usage, select on all sequences in schema public to propdesk_app;
grant execute on function ensure_partitions(integer) to propdesk_app;
revoke execute on function forget_metrics(integer) from public;
grant execute on function forget_metrics(integer) to propdesk_app;

-- After the grants above, so that a partition has only those it is given when it is made.
select ensure_partitions(12);
