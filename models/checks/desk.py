"""Checks of the desk as a whole. Each function is named after its rule and returns violations as (subject, message)."""

from models.checks.reading import Rows, first_rows
from models.sql import Connection

LINKS = """
select format('challenge %s and its purchase', c.id) as link, c.brand || '/' || c.client as one,
  p.brand || '/' || p.client as other
from challenges c join purchases p on p.id = c.purchase_id
union all
select format('purchase %s and its wallet', p.id), p.brand || '/' || p.client || '/' || p.currency,
  w.brand || '/' || w.client || '/' || w.currency
from purchases p join wallets w on w.id = p.wallet_id
union all
select format('purchase %s and its program', p.id), p.brand, g.brand
from purchases p join programs g on g.id = p.program_id
union all
select format('account %s and its challenge', a.id), a.brand, c.brand
from accounts a join challenges c on c.id = a.challenge_id
union all
select format('account %s and its parent', a.id), a.brand, p.brand
from accounts a join accounts p on p.id = a.parent_id
union all
select format('phase %s and its account', p.id), p.challenge_id::text, coalesce(a.challenge_id::text, 'none')
from challenge_phases p join accounts a on a.id = p.account_id
union all
select format('payout %s and its challenge', p.id), p.brand || '/' || p.currency, c.brand || '/' || a.currency
from payouts p join challenges c on c.id = p.challenge_id join accounts a on a.id = p.account_id
union all
select format('payout %s and its account', p.id), p.challenge_id::text, a.challenge_id::text
from payouts p join accounts a on a.id = p.account_id where a.challenge_id is not null
union all
select format('payout %s and its wallet', p.id), c.brand || '/' || c.client, w.brand || '/' || w.client
from payouts p join challenges c on c.id = p.challenge_id join wallets w on w.id = p.wallet_id
union all
select format('payout %s and its phase', p.id), p.challenge_id || '/' || p.account_id,
  r.challenge_id || '/' || r.account_id
from payouts p join challenge_phases r on r.id = p.phase_id
union all
select format('purchase %s and the wallet its fee came back to', p.id), p.brand || '/' || p.client,
  w.brand || '/' || w.client
from purchases p
join transfers t on t.kind = 'FEE_RETURN'
  and t.cause = 'purchase ' || p.id || ' fee returned with payout ' || p.fee_returned_with
join wallets w on w.id = t.wallet_id
union all
select format('event %s and its challenge', e.position), e.brand || '/' || e.client,
  c.brand || '/' || c.client
from events e join challenges c on c.id = e.challenge_id
union all
select format('job %s and its challenge', j.id), j.brand, c.brand
from jobs j join challenges c on c.id = j.challenge_id
union all
select format('job %s and its account', j.id), j.brand, a.brand
from jobs j join accounts a on a.id = j.account_id
union all
select format('transfer %s and its holder', t.transfer), t.brand, coalesce(w.brand, h.brand, a.brand)
from transfers t
left join wallets w on w.id = t.wallet_id
left join house_accounts h on h.id = t.house_account_id
left join accounts a on a.id = t.account_id
union all
select format('phase %s of program %s and its group', s.phase_index, s.program_id), p.brand, g.brand
from program_phases s join programs p on p.id = s.program_id
join account_groups g on g.id = s.account_group_id
"""
"""Links between two objects: a name, and the brand (with client or currency) of both sides."""


async def batches_are_dense(conn: Connection) -> Rows:
    """Batches are numbered without gaps from the oldest one kept, never go back in time, and have their quotes."""
    return await first_rows(
        conn,
        """
        select format('batch %s', b.number) as subject,
          format('follows batch %s, %s after it, with %s of %s quotes', b.before,
            coalesce(b.market_time - b.time_before, interval '0'), coalesce(q.number, 0), b.quotes) as message
        from (
          select number, market_time, quotes, lag(number) over (order by number) as before,
            lag(market_time) over (order by number) as time_before
          from batches) b
        left join (select batch, count(*) as number from quotes group by batch) q on q.batch = b.number
        where b.number <> b.before + 1 or b.market_time < b.time_before or coalesce(q.number, 0) <> b.quotes
        union all
        select 'batches', format('begin with %s; batches up to %s are deleted', b.oldest, r.quotes_forgotten)
        from retention r cross join (select coalesce(min(number), 1) as oldest from batches) b
        where b.oldest <> r.quotes_forgotten + 1
        union all
        select symbol, format('has a quote of deleted batch %s; its standing quote is of batch %s', q.batch, s.batch)
        from (select symbol, batch from quotes where batch <= (select quotes_forgotten from retention)) q
        full join standing_quotes s using (symbol)
        where q.batch is distinct from s.batch""",
    )


async def latest_quotes_are_the_newest(conn: Connection) -> Rows:
    """The table of newest quotes agrees with the quote history."""
    return await first_rows(
        conn,
        """
        select i.symbol as subject,
          format('has a newest quote of batch %s; in the history it is of batch %s', coalesce(l.batch::text, 'none'),
            coalesce(q.batch::text, 'none')) as message
        from instruments i
        left join latest_quotes l on l.symbol = i.symbol
        left join lateral (select * from quotes where symbol = i.symbol order by batch desc limit 1) q on true
        where (l.batch, l.bid, l.ask, l.source_time) is distinct from (q.batch, q.bid, q.ask, q.source_time)""",
    )


async def accounts_are_marked_within_the_batches(conn: Connection) -> Rows:
    """No account is marked beyond the newest batch, and the next batch of each live account is kept."""
    return await first_rows(
        conn,
        """
        select format('account %s', b.account_id) as subject,
          format('is marked through batch %s; there are batches %s to %s', b.marked_through, n.oldest, n.newest)
            as message
        from balances b
        cross join (
          select coalesce(min(number), 1) as oldest, coalesce(max(number), 0) as newest from batches) n
        where b.marked_through > n.newest or (b.live and b.marked_through < n.oldest - 1)""",
    )


async def events_are_dense(conn: Connection) -> Rows:
    """Events have positions without gaps, and numbers without gaps within their challenge, in the same order.

    Positions within a brand have a gap only after an event of the first edition, which keeps its position among all.
    """
    return await first_rows(
        conn,
        """
        select format('event %s', position) as subject, format('follows event %s', before) as message
        from (select position, lag(position) over (order by position) as before from events) e
        where position <> before + 1
        union all
        select format('event %s', position),
          format('is no. %s of challenge %s; by position it is no. %s', number, challenge_id, first + place - 1)
        from (
          select position, challenge_id, number, min(number) over (partition by challenge_id) as first,
            row_number() over (partition by challenge_id order by position) as place
          from events) e
        where number <> first + place - 1
        union all
        select format('event %s', position),
          format('is no. %s of brand %s and follows no. %s', brand_position, brand, before)
        from (
          select position, brand, brand_position, lag(brand_position) over of_brand as before,
            lag(position) over of_brand as before_of_all
          from events window of_brand as (partition by brand order by position)) e
        where brand_position <= before or (before < before_of_all and brand_position <> before + 1)
        union all
        select 'events', format('have position counter %s, but the last event has position %s', p.position, e.last)
        from event_position p cross join (select max(position) as last from events) e where p.position <> e.last
        union all
        select format('challenge %s', n.challenge_id),
          format('has event counter %s, but its last event is no. %s', n.number, e.last)
        from challenge_numbers n
        join (select challenge_id, max(number) as last from events group by challenge_id) e using (challenge_id)
        where n.number <> e.last
        union all
        select format('brand %s', n.brand),
          format('has event counter %s, but its last event is no. %s', n.position, e.last)
        from brand_positions n
        join (select brand, max(brand_position) as last from events group by brand) e using (brand)
        where n.position <> e.last""",
    )


async def brands_never_mix(conn: Connection) -> Rows:
    """Linked objects belong to the same brand and client."""
    return await first_rows(
        conn,
        f"""
        select link as subject, format('links %s to %s', one, other) as message
        from ({LINKS}) links where one is distinct from other""",
    )


async def rows_have_their_objects(conn: Connection) -> Rows:
    """Rows of tables without foreign keys name objects that exist and belong together."""
    return await first_rows(
        conn,
        """
        select format('account %s', account_id) as subject, format('has %s ledger rows and does not exist', count(*))
          as message
        from ledger l where not exists (select from accounts a where a.id = l.account_id) group by account_id
        union all
        select format('account %s', account_id), format('has %s %s and does not exist', count(*), name)
        from (
          select account_id, 'decision actions' as name from decision_actions
          union all select account_id, 'orders' from orders
          union all select account_id, 'positions' from positions
          union all select account_id, 'fills' from fills) t
        where not exists (select from accounts a where a.id = t.account_id) group by account_id, name
        union all
        select format('account %s', account_id), format('has %s transfers and does not exist', count(*))
        from transfers t
        where t.account_id is not null and not exists (select from accounts a where a.id = t.account_id)
        group by account_id
        union all
        select format('phase id %s', m.phase_id), format('has %s metrics of another challenge or account', count(*))
        from metrics m
        where not exists (
          select from challenge_phases p
          where (p.id, p.challenge_id, p.account_id) = (m.phase_id, m.challenge_id, m.account_id))
        group by m.phase_id
        union all
        select symbol, format('has %s %s and is not listed', count(*), name)
        from (
          select symbol, 'quotes' as name from quotes
          union all select symbol, 'orders' from orders
          union all select symbol, 'positions' from positions) t
        where not exists (select from instruments i where i.symbol = t.symbol) group by symbol, name""",
    )


async def amounts_are_numbers(conn: Connection) -> Rows:
    """No numeric column of any table holds NaN. A query of PostgreSQL's catalogue builds the statements."""
    statements = await first_rows(
        conn,
        """
        select format('select %L as subject, count(*) || %L as message from %I where %s having count(*) > 0',
          'table ' || c.relname, ' rows hold NaN', c.relname,
          string_agg(format('%I = ''NaN''', a.attname), ' or ')) as statement
        from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        join pg_type t on t.oid = a.atttypid
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
          and 'numeric'::regtype in (t.oid, t.typbasetype)
        group by c.relname order by c.relname""",
    )
    return [row for one in statements for row in await first_rows(conn, one["statement"])]
