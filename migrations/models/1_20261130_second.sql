-- The second edition, added to databases that have lived: every statement keeps the rows that are there.

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
