"""Checks of orders, voids and locks. A function is named after its rule and returns violations (subject, message)."""

from models.checks.reading import Rows, first_rows
from models.sql import Connection


async def fills_have_one_order(conn: Connection) -> Rows:
    """Each fill belongs to one order of the same content, and each executed order has one fill."""
    return await first_rows(
        conn,
        """
        select format('order %s-%s', coalesce(f.account_id, o.account_id), coalesce(f.order_seq, o.seq)) as subject,
          case
            when f.seq is null then format('is %s and has no fill', o.status)
            when o.seq is null then format('is missing, but has fill %s', f.seq)
            else format('is %s %s %s %s %s, its fill %s of %s is %s %s %s %s %s', o.status, o.verb, o.side,
              trim_scale(o.quantity), o.symbol, f.seq, f.many, f.status, f.verb, f.side, trim_scale(f.quantity),
              f.symbol)
          end as message
        from (select *, count(*) over (partition by account_id, order_seq) as many from fills) f
        full join orders o on o.account_id = f.account_id and o.seq = f.order_seq
        where case when f.seq is null then o.status in ('FILLED', 'VOID') when o.seq is null then true
          else f.many > 1 or (f.symbol, f.side, f.verb, f.quantity) <> (o.symbol, o.side, o.verb, o.quantity)
            or o.status <> case f.status when 'BOOKED' then 'FILLED' else 'VOID' end end""",
    )


async def working_orders_are_on_live_accounts(conn: Connection) -> Rows:
    """A working order is on an account that can trade; an exit has its position, at most one of each type."""
    return await first_rows(
        conn,
        """
        select format('order %s-%s', o.account_id, o.seq) as subject,
          format('is a working %s %s %s of an account that is %s%s, with phase status %s and position %s', o.type,
            o.side, o.symbol, a.status, case when a.read_only then ' and read-only' else '' end,
            coalesce(p.status::text, 'none'), coalesce(h.quantity::text, 'none')) as message
        from (
          select *, count(*) over (partition by account_id, symbol, side, type) as many
          from orders where status = 'WORKING') o
        join accounts a on a.id = o.account_id
        left join challenge_phases p on p.account_id = o.account_id
        left join positions h
          on h.account_id = o.account_id and h.symbol = o.symbol and h.side = o.side and h.status = 'OPEN'
        where a.read_only or a.status in ('PENDING', 'COMPLETED', 'LIQUIDATED') or p.status <> 1 or o.type = 'MARKET'
          or (o.verb in ('REDUCE', 'CLOSE') and h.seq is null)
          or (o.type in ('STOP_LOSS', 'TAKE_PROFIT') and o.many > 1)""",
    )


async def amended_orders_have_their_origin(conn: Connection) -> Rows:
    """An amended order names its first version, an earlier ended order of the same symbol, side and type."""
    return await first_rows(
        conn,
        """
        select format('order %s-%s', o.account_id, o.seq) as subject,
          format('is a version of order %s, which is %s', o.origin,
            coalesce(format('%s %s %s %s', f.status, f.type, f.side, f.symbol), 'missing')) as message
        from orders o
        left join orders f on f.account_id = o.account_id and f.seq = o.origin
        where o.origin is not null and (f.seq is null or f.seq >= o.seq or f.origin is not null
          or f.status = 'WORKING' or (f.type, f.side, f.symbol) <> (o.type, o.side, o.symbol))""",
    )


async def ended_orders_have_a_reason(conn: Connection) -> Rows:
    """A cancelled or rejected order has exactly one ledger row of its end, the same time, and a reason."""
    return await first_rows(
        conn,
        """
        select format('order %s-%s', coalesce(o.account_id, l.account_id), coalesce(o.seq::text, l.named)) as subject,
          format('is %s since %s; ledger rows of its end: %s', coalesce(o.status, 'missing'),
            coalesce(o.ended_at::text, 'never'), coalesce(l.rows, 'none')) as message
        from (select * from orders where status in ('CANCELLED', 'REJECTED')) o
        full join (
          select account_id, facts ->> 'order' as named, count(*) as many, string_agg(seq || ' ' || kind, ', ') as rows,
            min(kind) as kind, min(market_time) as market_time
          from ledger where kind in ('order_cancelled', 'order_rejected') group by account_id, facts ->> 'order') l
          on l.account_id = o.account_id and l.named = o.seq::text
        where o.seq is null or l.named is null or l.many <> 1 or l.kind <> 'order_' || lower(o.status)
          or l.market_time <> o.ended_at or o.outcome = '{}'""",
    )


async def voids_have_a_correction(conn: Connection) -> Rows:
    """A void fill is named, with its order, by the ledger row of exactly one correction."""
    return await first_rows(
        conn,
        """
        with voided as (
          select l.account_id, l.seq as correction, f.named as fill, o.named as order
          from ledger l,
            string_to_table(l.facts ->> 'voided_fills', ' ') with ordinality f (named, place),
            string_to_table(l.facts ->> 'voided_orders', ' ') with ordinality o (named, place)
          where l.kind = 'correction' and f.place = o.place)
        select format('fill %s-%s', coalesce(f.account_id, t.account_id), coalesce(f.seq::text, t.fill)) as subject,
          format('is %s, its order is %s; corrections that void it: %s', coalesce(f.status, 'not void'),
            coalesce(f.order_seq::text, t.order), coalesce(t.corrections, 'none')) as message
        from (select * from fills where status = 'VOID') f
        full join (
          select account_id, fill, min("order") as "order", count(*) as many, string_agg(correction::text, ', ')
            as corrections
          from voided group by account_id, fill) t on t.account_id = f.account_id and t.fill = f.seq::text
        where f.seq is null or t.fill is null or t.many <> 1 or t.order <> f.order_seq::text""",
    )


async def locks_remember_their_status(conn: Connection) -> Rows:
    """Exactly the locked accounts store the status they were locked from."""
    return await first_rows(
        conn,
        """
        select format('account %s', id) as subject,
          format('is %s, locked from %s', status, coalesce(locked_from, 'nothing')) as message
        from accounts
        where (status = 'LOCKED') <> (locked_from is not null) or locked_from not in ('PENDING', 'ACTIVE', 'PAUSED')""",
    )
