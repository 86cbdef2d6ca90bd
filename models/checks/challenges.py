"""Checks of challenges. Each function is named by what must hold and returns its violations as (subject, message).

Statuses of challenges and phases: 0 pending, 1 active, 2 passed, 3 failed, 4 cancelled.
"""

from models.checks.reading import Rows, first_rows
from models.sql import Connection


async def terms_bear_their_hash(conn: Connection) -> Rows:
    """Terms are stored under the sha256 of their text, and a challenge has the terms of its purchase."""
    return await first_rows(
        conn,
        """
        select format('terms %s', hash) as subject,
          format('have a text with sha256 %s', encode(sha256(convert_to(body, 'UTF8')), 'hex')) as message
        from terms where hash <> encode(sha256(convert_to(body, 'UTF8')), 'hex')
        union all
        select format('terms %s', hash), format('have program version %s, another than in their text',
          coalesce(program_version::text, 'none'))
        from terms
        where case when hash = encode(sha256(convert_to(body, 'UTF8')), 'hex')
          then program_version is distinct from (body::jsonb ->> 'program_version')::integer end
        union all
        select format('challenge %s', c.id), format('has terms %s, its purchase %s', c.terms_hash, p.terms_hash)
        from challenges c join purchases p on p.id = c.purchase_id where c.terms_hash <> p.terms_hash""",
    )


async def purchases_have_one_live_challenge(conn: Connection) -> Rows:
    """A purchase has at most one pending or active challenge, and each such challenge has a purchase."""
    return await first_rows(
        conn,
        """
        select format('purchase %s', purchase_id) as subject, format('has %s live challenges', count(*)) as message
        from challenges where status in (0, 1) group by purchase_id having count(*) > 1
        union all
        select format('challenge %s', id), 'runs without a purchase'
        from challenges where status in (0, 1) and purchase_id is null""",
    )


async def challenges_have_one_active_phase(conn: Connection) -> Rows:
    """A challenge has at most one active phase."""
    return await first_rows(
        conn,
        """
        select format('challenge %s', challenge_id) as subject, format('has %s active phases', count(*)) as message
        from challenge_phases where status = 1 group by challenge_id having count(*) > 1""",
    )


async def phases_run_in_order(conn: Connection) -> Rows:
    """Phases are numbered from 1 without gaps. A phase that was reached has an account, and all before it have passed.

    Superseded runs do not count.
    """
    return await first_rows(
        conn,
        """
        select format('challenge %s', challenge_id) as subject,
          format('phase no. %s has index %s, status %s and account %s; %s phases before it have passed', place,
            phase_index, status, coalesce(account_id::text, 'none'), passed_before) as message
        from (
          select challenge_id, phase_index, status, account_id, row_number() over ordered as place,
            count(*) filter (where status = 2) over ordered - (status = 2)::int as passed_before
          from challenge_phases where not superseded
          window ordered as (partition by challenge_id order by phase_index)) p
        where phase_index <> place or (account_id is not null and passed_before <> place - 1)
          or (account_id is null and status not in (0, 4)) or (account_id is not null and status = 0)""",
    )


async def challenges_agree_with_their_phases(conn: Connection) -> Rows:
    """Every phase sold has its row. A passed challenge has passed all of them, a failed one has failed one of them, and
    an active one has a phase that is active or pending. An ended challenge has no pending phase.
    """
    return await first_rows(
        conn,
        """
        with sold as (
          select hash, jsonb_array_length(case when hash = encode(sha256(convert_to(body, 'UTF8')), 'hex')
            then body::jsonb -> 'phases' end) as phases
          from terms)
        select format('challenge %s', c.id) as subject,
          format('has status %s; %s phases were sold, %s exist: %s pending, %s active, %s passed, %s failed',
            c.status, s.phases, p.phases, p.pending, p.active, p.passed, p.failed) as message
        from challenges c
        join sold s on s.hash = c.terms_hash and s.phases is not null
        cross join lateral (
          select count(*) as phases, count(*) filter (where status = 0) as pending,
            count(*) filter (where status = 1) as active, count(*) filter (where status = 2) as passed,
            count(*) filter (where status = 3) as failed
          from challenge_phases where challenge_id = c.id and not superseded) p
        where (c.ended_at is null) <> (c.status in (0, 1)) or p.phases <> s.phases or not case c.status
          when 0 then active + passed + failed = 0
          when 1 then passed < s.phases and pending + active + passed = s.phases
          when 2 then passed = s.phases
          when 3 then failed = 1 and pending + active = 0
          else pending + active + failed = 0 end""",
    )


async def challenges_point_at_their_phase(conn: Connection) -> Rows:
    """The account of a challenge is that of its current phase; no later phase has an account."""
    return await first_rows(
        conn,
        """
        select format('challenge %s', c.id) as subject,
          format('has current phase %s and account %s', c.current_phase_index, coalesce(c.account_id::text, 'none'))
            as message
        from challenges c
        where not exists (
            select from challenge_phases p
            where p.challenge_id = c.id and p.phase_index = c.current_phase_index and p.account_id = c.account_id
              and not p.superseded)
          or exists (
            select from challenge_phases p
            where p.challenge_id = c.id and p.phase_index > c.current_phase_index and p.account_id is not null)""",
    )


async def phases_begin_with_what_was_sold(conn: Connection) -> Rows:
    """The initial balance of a phase is the deposit sold plus the adjustments that do not count as profit."""
    return await first_rows(
        conn,
        """
        select format('phase %s of challenge %s', p.phase_index, p.challenge_id) as subject,
          format('has initial balance %s; the deposit sold is %s, adjustments without profit are %s',
            trim_scale(p.initial_balance),
            trim_scale(s.deposit), trim_scale(a.capital)) as message
        from challenge_phases p
        join challenges c on c.id = p.challenge_id
        join terms t on t.hash = c.terms_hash and t.hash = encode(sha256(convert_to(t.body, 'UTF8')), 'hex')
        cross join lateral (
          select (t.body::jsonb -> 'phases' -> (p.phase_index - 1) -> 'group' ->> 'deposit')::numeric as deposit) s
        cross join lateral (
          select coalesce(sum(l.amount), 0) as capital from transfers f
          join ledger l on l.account_id = f.account_id and l.seq = f.account_seq
          where f.account_id = p.account_id and f.kind = 'ADJUSTMENT' and l.facts -> 'counts_as_profit' = 'false') a
        where p.initial_balance is distinct from s.deposit + a.capital""",
    )


async def failed_phases_have_one_breach(conn: Connection) -> Rows:
    """A failed phase has one breach with the consequence FAIL, of the rule in its end reason; others have none."""
    return await first_rows(
        conn,
        """
        select format('phase %s of challenge %s', p.phase_index, p.challenge_id) as subject,
          format('has status %s, end reason %s, failing breaches: %s', p.status, coalesce(p.end_reason, 'nothing'),
            coalesce(string_agg(b.rule, ', '), 'none')) as message
        from challenge_phases p
        left join breaches b on b.phase_id = p.id and b.consequence = 'FAIL'
        group by p.id
        having count(b.id) <> case when p.status = 3 then 1 else 0 end
          or count(b.id) filter (where b.rule is distinct from p.end_reason) > 0""",
    )


async def reinstatements_have_their_run(conn: Connection) -> Rows:
    """A reinstatement names a failed run and the run of the phase that follows it; no other run is superseded."""
    return await first_rows(
        conn,
        """
        select format('reinstatement %s of challenge %s', r.id, r.challenge_id) as subject,
          format('sets breach %s (%s) of run %s aside, status %s, for run %s of phase %s on account %s', r.breach_id,
            b.consequence, f.run, f.status, n.run, n.phase_index, coalesce(n.account_id::text, 'none')) as message
        from reinstatements r
        join breaches b on b.id = r.breach_id
        join challenge_phases f on f.id = r.phase_id
        join challenge_phases n on n.id = r.new_phase_id
        left join ledger l on l.account_id = n.account_id and l.kind = 'account_started'
        where b.consequence <> 'FAIL' or b.phase_id <> f.id or f.status <> 3 or not f.superseded
          or (f.challenge_id, n.challenge_id) <> (r.challenge_id, r.challenge_id)
          or (n.phase_index, n.run) <> (f.phase_index, f.run + 1) or n.started_at is null
          or (l.facts ->> 'reinstated_from') is distinct from f.account_id::text
        union all
        select format('phase %s of challenge %s', p.phase_index, p.challenge_id),
          format('run %s with status %s is superseded without a reinstatement', p.run, p.status)
        from challenge_phases p
        where p.superseded and not exists (
          select from reinstatements r join challenge_phases f on f.id = r.phase_id
          where r.challenge_id = p.challenge_id
            and (r.phase_id = p.id or (p.account_id is null and f.phase_index < p.phase_index)))
        union all
        select format('phase %s of challenge %s', p.phase_index, p.challenge_id), format('has no run %s', p.run - 1)
        from challenge_phases p
        where p.run > 1 and not exists (
          select from challenge_phases o
          where o.challenge_id = p.challenge_id and o.phase_index = p.phase_index and o.run = p.run - 1
            and o.superseded)""",
    )


async def breaches_rest_on_the_ledger(conn: Connection) -> Rows:
    """The ledger row of a breach exists with its hash, and phase, challenge, account and terms belong together."""
    return await first_rows(
        conn,
        """
        select format('breach %s', b.id) as subject,
          format('%s of account %s names ledger row %s, which has another hash, or terms of another challenge',
            b.rule, b.account_id, b.ledger_seq) as message
        from breaches b
        left join challenge_phases p
          on p.id = b.phase_id and p.challenge_id = b.challenge_id and p.account_id = b.account_id
        left join challenges c on c.id = b.challenge_id and c.terms_hash = b.terms_hash
        left join ledger l on l.account_id = b.account_id and l.seq = b.ledger_seq and l.hash = b.ledger_hash
        where p.id is null or c.id is null or l.seq is null""",
    )


async def days_are_dense(conn: Connection) -> Rows:
    """A started phase has days from 1 without gaps. All are closed, except the last while the phase is active."""
    return await first_rows(
        conn,
        """
        select format('phase %s of challenge %s', p.phase_index, p.challenge_id) as subject,
          format('has %s days up to no. %s, of which %s are open', d.days, coalesce(d.last, 0), d.open) as message
        from challenge_phases p
        cross join lateral (
          select count(*) as days, max(number) as last, count(*) filter (where not closed) as open,
            coalesce(bool_and(closed or number = last_number), true) as in_order
          from (select number, closed, max(number) over () as last_number from days where phase_id = p.id) n) d
        where p.started_at is not null
          and (d.days = 0 or d.days <> d.last or not d.in_order or (p.status in (2, 3, 4) and d.open > 0))""",
    )


async def ended_phases_have_a_job(conn: Connection) -> Rows:
    """A passed or failed phase has a job that closes its account, and the account is read-only.

    A breach with the consequence CLOSE_DAY has a job that closes the open positions; none of them stays open.
    """
    return await first_rows(
        conn,
        """
        select format('phase %s of challenge %s', p.phase_index, p.challenge_id) as subject,
          format('has status %s; account %s is %s, its close_account job is %s', p.status, a.id,
            case when a.read_only then 'read-only' else 'not read-only' end, coalesce(j.status, 'missing')) as message
        from challenge_phases p
        join accounts a on a.id = p.account_id
        left join lateral (
          select status from jobs
          where kind = 'close_account' and account_id = p.account_id and challenge_id = p.challenge_id
          limit 1) j on true
        where p.status in (2, 3) and (j.status is null or not a.read_only)
        union all
        select format('breach %s of challenge %s', b.id, b.challenge_id),
          format('has consequence CLOSE_DAY on account %s without a close_day job', b.account_id)
        from breaches b
        where b.consequence = 'CLOSE_DAY' and not exists (
          select from jobs
          where kind = 'close_day' and account_id = b.account_id and facts -> 'through' = to_jsonb(b.ledger_seq))
        union all
        select format('position %s-%s', q.account_id, q.seq),
          format('is open after breach %s with CLOSE_DAY, and no job closes it', b.id)
        from breaches b
        join positions q on q.account_id = b.account_id and q.status = 'OPEN' and q.seq <= b.ledger_seq
        where b.consequence = 'CLOSE_DAY' and not exists (
          select from jobs where account_id = b.account_id and kind in ('close_day', 'close_account', 'close_positions')
            and status in ('QUEUED', 'DEAD'))""",
    )
