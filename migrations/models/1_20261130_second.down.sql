-- Back to the first edition's schema. Rows that only the second edition can describe are refused, not dropped.

-- Phases that were never reached: the terms say them.
delete from challenge_phases where account_id is null;
alter table challenge_phases drop constraint challenge_phases_reached, alter column account_id set not null;
select 1;

-- The first edition's tables had no comments.
do $$
declare
  what text;
begin
  for what in
    select case d.objsubid when 0 then format('table %s', d.objoid::regclass)
      else format('column %s.%I', d.objoid::regclass, a.attname) end
    from pg_description d join pg_class c on c.oid = d.objoid and d.classoid = 'pg_class'::regclass
    left join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  loop
    execute format('comment on %s is null', what);
  end loop;
end $$;

alter table payouts drop column day_profit;
-- Purchases paid outside under a reference, and tokens of the role PAYMENTS: refused by the constraints that return.
alter table tokens
  drop constraint tokens_role_check,
  add constraint tokens_role_check check (role in ('ADMIN', 'MANAGER', 'CLIENT', 'TRADER', 'FEED'));
drop index purchases_payment_reference, purchases_unpaid, purchases_awaited;
alter table purchases
  drop constraint purchases_payment, drop column payment_reference, drop column expires_at,
  alter column wallet_id set not null;
alter table fills drop column rate_time, drop column rate_pairs, drop column rate_stale;
alter table breaches drop column marks;

alter table balances drop column day_withdrawn;
drop index orders_working;
drop table instrument_names;
alter table instruments
  drop constraint instruments_pair_has_base,
  drop column updated_at,
  drop column version,
  drop column status,
  drop column contract_size,
  drop column kind,
  alter column base_currency set not null,
  drop constraint instruments_symbol_check,
  add constraint instruments_symbol_check check (symbol ~ '^[A-Z0-9][A-Z0-9._-]{0,31}$');
alter table currencies drop column updated_at, drop column version;
alter table account_groups drop column version;
alter table brands drop column updated_at, drop column version;
comment on column instruments.base_currency is null;
-- Fees that came back with a payout, and adjustments: refused by the constraint that returns.
alter table transfers
  drop constraint transfers_kind_check,
  add constraint transfers_kind_check check (kind in ('FEE', 'REFUND', 'DEPOSIT', 'PAYOUT_PROFIT', 'PAYOUT_SHARE',
    'TOP_UP', 'WITHDRAWAL'));
alter table purchases drop column fee_returned_with, drop column failure_shown;

alter table program_phases drop column trading_day, drop column trading_day_pct;
drop table quarantine;
drop table suspect_quotes;
alter table latest_quotes drop column unchanged_since, drop column finding;
alter table instruments drop column guard_mode, drop column guard_move_pct, drop column guard_move_seconds,
  drop column guard_spread_pct, drop column guard_frozen_seconds;
-- A price of more than eight places has no place in the first edition's columns.
alter domain price13 add constraint price13_of_the_first_edition check (round(value, 8) = value);
alter table quotes alter column bid type money8, alter column ask type money8;
alter table latest_quotes alter column bid type money8, alter column ask type money8;
alter table orders alter column price type money8, alter column stop_loss type money8,
  alter column take_profit type money8;
alter table fills alter column price type money8;
drop domain price13;
alter table instruments
  drop constraint instruments_price_precision_check,
  add constraint instruments_price_precision_check check (price_precision between 0 and 8);
alter table instruments drop column notional_min;
alter table fills drop column cumulative;
alter table positions
  drop column realised_rest, drop column fees_rest, drop column whole_quantity, drop column whole_cost;
drop domain rest;
alter table heartbeats drop column faults;

-- A phase of several runs has no place in the first edition: refused by the constraint that returns.
drop table bulk_results, bulk_reinstatements, reinstatements;
alter table challenge_phases
  drop constraint challenge_phases_index, drop column run, drop column superseded,
  add constraint challenge_phases_index unique (challenge_id, phase_index);
drop index breaches_failures;
drop table quote_voids;

alter table orders drop column origin;
alter table breaches
  drop constraint breaches_consequence_check,
  add constraint breaches_consequence_check check (consequence in ('FAIL', 'PAUSE_DAY', 'WARN'));
alter table terms drop column program_version;

-- Lists: the first edition's indexes.
drop function quote_batch_at(text, timestamptz);
drop index challenges_brand, purchases_brand, accounts_brand, payouts_brand, jobs_brand,
  challenges_client, challenges_status, challenges_program, challenges_created_at, challenges_search,
  purchases_client, purchases_status, purchases_wallet, purchases_program, purchases_created_at, purchases_search,
  accounts_owner, accounts_clone, accounts_clone_challenge, accounts_group, accounts_status, accounts_mode,
  accounts_parent, accounts_search, programs_order, programs_order_all, programs_search, wallets_brand, wallets_client,
  transfers_wallet, transfers_house_account, transfers_account, transfers_kind, transfers_recorded_at, payouts_wallet,
  payouts_status, payouts_created_at, jobs_status, jobs_kind, audit_chain, audit_chain_recorded_at, audit_object_kind, audit_object_id,
  audit_actor, audit_operation, audit_request, tokens_brand;
create index challenges_brand on challenges (brand, id desc);
create index purchases_brand on purchases (brand, id desc);
create index accounts_brand on accounts (brand, id desc);
create index payouts_brand on payouts (brand, id desc);
create index jobs_brand on jobs (brand, id desc);
create index challenges_client on challenges (brand, client, id desc);
create index challenges_program on challenges (program_id);
create index purchases_client on purchases (brand, client, id desc);
create index purchases_wallet on purchases (wallet_id);
create index purchases_program on purchases (program_id);
create index accounts_owner on accounts (brand, owner);
create index accounts_clone on accounts (brand, clone);
create index accounts_parent on accounts (parent_id);
create index transfers_wallet on transfers (wallet_id) where wallet_id is not null;
create index transfers_house_account on transfers (house_account_id) where house_account_id is not null;
create index transfers_account on transfers (account_id) where account_id is not null;
create index payouts_wallet on payouts (wallet_id);
create index audit_object on audit (object_kind, object_id, id desc);
create index tokens_brand on tokens (brand);
drop extension btree_gin, pg_trgm;

drop index challenges_open;
alter table balances drop column refusals_end_at, drop column refusals_since, drop column refusals_stored,
  drop column refusals_beyond;

-- Numbers of the whole desk again: they go on after those of the first brand. Others keep the ids they have.
do $$
declare
  one record;
  last bigint;
begin
  create sequence transfer_number;
  for one in
    select kind, 'select greatest((select max(' || case kind when 'transfer' then 'transfer) from transfers where transfer'
        else 'id) from ' || kind || ' where id' end || ' < 1000000000000)'
      || coalesce(', (select last_value from ' || to_regclass('brand_numbers.' || quote_ident(kind || ':' || b.name))
        || ' where is_called))', ')') as used
    from unnest(array['tokens', 'account_groups', 'programs', 'program_phases', 'wallets', 'house_accounts', 'transfers',
      'transfer', 'purchases', 'challenges', 'challenge_phases', 'accounts', 'breaches', 'payouts', 'jobs', 'audit']) kind
    left join brands b on b.number_prefix = 0
  loop
    execute one.used into last;
    if one.kind <> 'transfer' then
      execute format('drop trigger %I on %I', one.kind || '_number', one.kind);
      execute format('alter table %I alter id add generated always as identity (start with %s)', one.kind,
        case one.kind when 'accounts' then 100001 else 1 end);
    end if;
    perform setval(coalesce(pg_get_serial_sequence(nullif(one.kind, 'transfer'), 'id'), 'transfer_number'), last)
    where last is not null;
  end loop;
end $$;
grant usage, select on all sequences in schema public to propdesk_app;
drop trigger brands_number on brands;
drop function number_row, number_brand, add_number_sequences, free_number_prefix;
drop schema brand_numbers cascade;
alter table brands drop column number_prefix;
drop index jobs_queued;
create index jobs_queued on jobs (id) where status = 'QUEUED';
alter table events drop column epoch;
drop table epochs;
alter table events drop column brand_position;
drop table brand_positions;

drop table removals, removed_sales;

revoke update (shards) on desk from propdesk_app;
alter table desk drop column shards;
alter table shards drop column owner, drop column fence;
drop table bearer_writes;
drop table book_check;
