"""Checks of trading. Each function is named after its rule and returns violations as (subject, message)."""

from models.checks.reading import Rows, first_rows
from models.sql import Connection


async def accounts_have_balances(conn: Connection) -> Rows:
    """Each account has a row of balances with equity = cash + unrealised."""
    return await first_rows(
        conn,
        """
        select format('account %s', a.id) as subject,
          coalesce(format('equity %s is not cash %s + unrealised %s', trim_scale(b.equity), trim_scale(b.cash),
            trim_scale(b.unrealised)), 'has no balances') as message
        from accounts a left join balances b on b.account_id = a.id
        where b.account_id is null or b.equity <> b.cash + b.unrealised""",
    )


async def cash_is_accounted_for(conn: Connection) -> Rows:
    """cash = transfers + realised - fees; realised and fees are sums of the booked fills and agree with the ledger."""
    return await first_rows(
        conn,
        """
        select format('account %s', b.account_id) as subject,
          format('cash %s, realised %s, fees %s; its transfers sum to %s, its booked fills to %s and %s, '
            'the fills and corrections of its ledger to %s',
            trim_scale(b.cash), trim_scale(b.realised), trim_scale(b.fees), trim_scale(coalesce(t.moved, 0)),
            trim_scale(coalesce(f.realised, 0)), trim_scale(coalesce(f.fees, 0)), trim_scale(coalesce(l.traded, 0)))
            as message
        from balances b
        left join (select account_id, sum(amount) as moved from transfers group by account_id) t using (account_id)
        left join (
          select account_id, sum(realised) as realised, sum(fee) as fees from fills where status = 'BOOKED'
          group by account_id) f using (account_id)
        left join (
          select account_id, sum(amount) as traded from ledger where kind in ('fill', 'correction')
          group by account_id) l using (account_id)
        where b.realised <> coalesce(f.realised, 0) or b.fees <> coalesce(f.fees, 0)
          or b.realised - b.fees <> coalesce(l.traded, 0) or b.cash <> coalesce(t.moved, 0) + b.realised - b.fees""",
    )


async def accounts_are_marked_while_they_must_be(conn: Connection) -> Rows:
    """An account is live if and only if its phase runs (status 1, started), or it has a position or a working order."""
    return await first_rows(
        conn,
        """
        select format('account %s', b.account_id) as subject,
          format('is %s, but %s', case when b.live then 'live' else 'not live' end,
            case when s.is_live then 'its phase runs, or it has a position or a working order'
              else 'no phase runs, and it has no position or working order' end) as message
        from balances b
        cross join lateral (
          select exists (select from positions p where p.account_id = b.account_id and p.status = 'OPEN')
            or exists (select from orders o where o.account_id = b.account_id and o.status = 'WORKING')
            or exists (
              select from challenge_phases r
              where r.account_id = b.account_id and r.status = 1 and r.started_at is not null) as is_live) s
        where b.live <> s.is_live""",
    )


async def fills_have_one_ledger_row(conn: Connection) -> Rows:
    """Each fill has a ledger row with its seq, figures and cash, and each ledger row of a fill has a fill.

    Profit and fee of a fill may differ after a later correction.
    """
    return await first_rows(
        conn,
        """
        select format('fill %s-%s', coalesce(f.account_id, l.account_id), coalesce(f.seq, l.seq)) as subject,
          case
            when f.seq is null then 'is in the ledger only'
            when l.seq is null then 'is not in the ledger'
            else format('has quantity %s and price %s; its ledger row has amount %s, quantity %s and price %s',
              trim_scale(f.quantity), trim_scale(f.price),
              trim_scale(l.amount), l.facts ->> 'quantity', l.facts ->> 'price')
          end as message
        from fills f
        full join (select account_id, seq, amount, batch, market_time, facts from ledger where kind = 'fill') l
          on l.account_id = f.account_id and l.seq = f.seq
        left join (
          select account_id, max(seq) as seq from ledger where kind = 'correction' group by account_id) c
          on c.account_id = f.account_id and c.seq > f.seq
        where f.seq is null or l.seq is null or (l.batch, l.market_time) <> (f.batch, f.filled_at)
          or (f.symbol, f.side, f.verb, f.order_seq::text, trim_scale(f.quantity)::text, trim_scale(f.price)::text,
              trim_scale(f.rate)::text)
            is distinct from (l.facts ->> 'symbol', l.facts ->> 'side', l.facts ->> 'verb', l.facts ->> 'order',
              l.facts ->> 'quantity', l.facts ->> 'price', l.facts ->> 'rate')
          or (c.seq is null and (l.amount <> f.realised - f.fee
            or (trim_scale(f.realised)::text, trim_scale(f.fee)::text)
              is distinct from (l.facts ->> 'realised', l.facts ->> 'fee')))""",
    )


async def positions_are_open_once(conn: Connection) -> Rows:
    """An account has at most one open position per symbol and side."""
    return await first_rows(
        conn,
        """
        select format('account %s', account_id) as subject,
          format('has %s open positions %s %s', count(*), side, symbol) as message
        from positions where status = 'OPEN' group by account_id, symbol, side having count(*) > 1""",
    )


async def nothing_is_traded_after_an_end(conn: Connection) -> Rows:
    """After a verdict no action is executed and positions are only closed; an ended account has no positions."""
    return await first_rows(
        conn,
        """
        select format('fill %s-%s', f.account_id, f.seq) as subject,
          format('%s %s by %s after %s at seq %s', f.verb, f.symbol, o.reason, l.kind, l.seq) as message
        from ledger l
        join fills f on f.account_id = l.account_id and f.seq > l.seq
        join orders o on o.account_id = f.account_id and o.seq = f.order_seq
        where l.kind in ('account_completed', 'account_liquidated')
          or (l.kind in ('phase_passed', 'phase_failed', 'account_closing')
            or l.kind = 'finding' and l.facts ->> 'rule' = 'LIQUIDATION')
          and (o.reason = 'ACTION' or f.verb <> 'CLOSE')
        union all
        select format('account %s', a.id), format('is %s and has an open position %s %s', a.status, p.side, p.symbol)
        from accounts a join positions p on p.account_id = a.id and p.status = 'OPEN'
        where a.status in ('COMPLETED', 'LIQUIDATED')""",
    )


async def ended_accounts_have_a_closing_job(conn: Connection) -> Rows:
    """An account that was closed by hand or liquidated has ended, or has a job that closes it."""
    return await first_rows(
        conn,
        """
        select format('account %s', a.id) as subject,
          format('has %s at seq %s, and is %s without a job that closes it', l.kind, l.seq, a.status) as message
        from accounts a
        join ledger l on l.account_id = a.id
          and (l.kind = 'account_closing' or l.kind = 'finding' and l.facts ->> 'rule' = 'LIQUIDATION')
        where a.status not in ('COMPLETED', 'LIQUIDATED')
          and not exists (
            select from jobs j
            where j.account_id = a.id and j.kind = 'close_account' and j.status <> 'DONE' and j.facts ? 'end')
        union all
        select format('account %s', a.id),
          format('is %s, with final figures %s and end time %s', a.status, coalesce(a.result::text, 'missing'),
            coalesce(a.ended_at::text, 'none'))
        from accounts a join balances b on b.account_id = a.id
        where (a.status in ('COMPLETED', 'LIQUIDATED')) <> (a.result is not null)
          or (a.result is null) <> (a.ended_at is null)
          or a.result is not null and not a.read_only""",
    )


async def actions_name_their_orders(conn: Connection) -> Rows:
    """An action that was executed has its order, but a PROTECT may need none; one that was rejected has its refusal."""
    return await first_rows(
        conn,
        """
        select format('action %s-%s', d.account_id, d.seq) as subject,
          format('is %s, order %s, refusal %s', d.status, coalesce(o.seq::text, 'missing'),
            coalesce(d.refusal ->> 'code', 'none')) as message
        from decision_actions d
        left join orders o on o.account_id = d.account_id and o.seq = d.order_seq and o.action_seq = d.seq
        where (d.status = 'REJECTED') <> (d.refusal is not null) or case
          when d.status = 'EXECUTED' and d.content ->> 'action' = 'PROTECT'
            then (d.order_seq is null) <> (o.seq is null)
          else (d.status = 'REJECTED') <> (o.seq is null) end""",
    )


async def refusals_are_counted(conn: Connection) -> Rows:
    """The number of refusals stored on the account's last day with a refusal is the number counted."""
    return await first_rows(
        conn,
        """
        select format('account %s', b.account_id) as subject,
          format('has %s stored refusals since seq %s, but a count of %s', d.many, b.refusals_since, b.refusals_stored)
            as message
        from balances b
        cross join lateral (
          select count(*) as many from decision_actions d
          where d.account_id = b.account_id and d.status = 'REJECTED' and d.seq >= b.refusals_since) d
        where b.refusals_since is not null and d.many <> b.refusals_stored""",
    )
