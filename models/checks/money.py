"""Checks of money. Each function is named after its rule and returns violations as (subject, message)."""

from models.checks.reading import Rows, first_rows
from models.sql import Connection


async def transfers_pair_up(conn: Connection) -> Rows:
    """Each transfer has two rows of one brand, kind, money, currency and cause whose amounts sum to zero."""
    return await first_rows(
        conn,
        """
        select format('transfer %s', transfer) as subject,
          format('has %s rows that sum to %s', count(*), trim_scale(sum(amount)))
            || case when count(distinct (brand, kind, money, currency, cause)) > 1
              then ' and differ in brand, kind, money, currency or cause' else '' end
            as message
        from transfers group by transfer
        having count(*) <> 2 or sum(amount) <> 0 or count(distinct (brand, kind, money, currency, cause)) > 1""",
    )


async def transfers_stay_among_their_money(conn: Connection) -> Rows:
    """Real money is in wallets, TREASURY and EXTERNAL; synthetic money in accounts, CAPITAL and PAYOUT_HOLD."""
    return await first_rows(
        conn,
        """
        select format('transfer %s', t.transfer) as subject,
          format('moves %s money (%s, %s) of %s', t.money, t.kind, t.currency,
            coalesce('wallet ' || t.wallet_id, 'house account ' || t.house_account_id, 'account ' || t.account_id)
          ) as message
        from transfers t
        left join wallets w on w.id = t.wallet_id
        left join house_accounts h on h.id = t.house_account_id
        left join accounts a on a.id = t.account_id
        where t.currency is distinct from coalesce(w.currency, h.currency, a.currency)
          or (t.money = 'REAL') <> (w.id is not null or coalesce(h.purpose in ('TREASURY', 'EXTERNAL'), false))""",
    )


async def wallets_sum_their_transfers(conn: Connection) -> Rows:
    """The cash of a wallet is the sum of its transfers."""
    return await first_rows(
        conn,
        """
        select format('wallet %s', w.id) as subject,
          format('holds %s, its transfers sum to %s', trim_scale(w.cash), trim_scale(coalesce(t.total, 0))) as message
        from wallets w
        left join (select wallet_id, sum(amount) as total from transfers group by wallet_id) t on t.wallet_id = w.id
        where w.cash <> coalesce(t.total, 0)""",
    )


async def house_accounts_sum_their_transfers(conn: Connection) -> Rows:
    """The balance of a house account is the sum of its transfers."""
    return await first_rows(
        conn,
        """
        select format('%s of %s in %s', h.purpose, h.brand, h.currency) as subject,
          format('holds %s, its transfers sum to %s', trim_scale(h.balance), trim_scale(coalesce(t.total, 0)))
            as message
        from house_accounts h
        left join (select house_account_id, sum(amount) as total from transfers group by house_account_id) t
          on t.house_account_id = h.id
        where h.balance <> coalesce(t.total, 0)""",
    )


async def real_money_sums_to_zero(conn: Connection) -> Rows:
    """Wallets, TREASURY and EXTERNAL of a brand and currency sum to zero."""
    return await first_rows(
        conn,
        """
        select format('%s in %s', brand, currency) as subject,
          format('wallets, TREASURY and EXTERNAL sum to %s', trim_scale(sum(amount))) as message
        from (
          select brand, currency, cash as amount from wallets
          union all
          select brand, currency, balance from house_accounts where purpose in ('TREASURY', 'EXTERNAL')
        ) holdings
        group by brand, currency having sum(amount) <> 0""",
    )


async def synthetic_money_sums_to_results(conn: Connection) -> Rows:
    """CAPITAL, PAYOUT_HOLD and cash of the accounts sum to the accounts' profit after fees, by brand and currency."""
    return await first_rows(
        conn,
        """
        select format('%s in %s', brand, currency) as subject,
          format('CAPITAL, PAYOUT_HOLD and accounts sum to %s, the accounts earned %s', trim_scale(sum(amount)),
            trim_scale(sum(earned))) as message
        from (
          select a.brand, a.currency, b.cash as amount, b.realised - b.fees as earned
          from balances b join accounts a on a.id = b.account_id
          union all
          select brand, currency, balance, 0 from house_accounts where purpose in ('CAPITAL', 'PAYOUT_HOLD')
        ) holdings
        group by brand, currency having sum(amount) <> sum(earned)""",
    )


async def reservations_match_pending_purchases(conn: Connection) -> Rows:
    """The reserved amount of a wallet is the price of its PENDING (0) purchases."""
    return await first_rows(
        conn,
        """
        select format('wallet %s', w.id) as subject,
          format('reserves %s, its pending purchases cost %s', trim_scale(w.reserved), trim_scale(coalesce(p.total, 0)))
            as message
        from wallets w
        left join (select wallet_id, sum(price) as total from purchases where status = 0 group by wallet_id) p
          on p.wallet_id = w.id
        where w.reserved <> coalesce(p.total, 0)""",
    )


async def purchases_paid_their_fee(conn: Connection) -> Rows:
    """A purchase paid from its wallet was paid once, and refunded once if REFUNDED (5).

    Fees without a purchase belong to one that a manager deleted.
    """
    return await first_rows(
        conn,
        """
        with moved as (
          select substring(cause from '^purchase ([0-9]+) (?:fee|refund)$')::bigint as purchase, wallet_id,
            coalesce(-sum(amount) filter (where kind = 'FEE'), 0) as fee,
            coalesce(sum(amount) filter (where kind = 'REFUND'), 0) as refund
          from transfers where kind in ('FEE', 'REFUND') and wallet_id is not null group by 1, 2),
        due as (
          select id, wallet_id, status, paid_from, price,
            case when paid_from = 'WALLET' then price else 0 end as fee,
            case when paid_from = 'WALLET' and status = 5 then price else 0 end as refund
          from purchases)
        select format('purchase %s', coalesce(p.id::text, m.purchase::text, 'unknown')) as subject,
          case when p.id is null then 'does not exist and was not deleted'
            else format('has status %s, a price of %s, is paid from %s', p.status, trim_scale(p.price),
              coalesce(p.paid_from, 'nowhere')) end
          || format('; its wallet %s paid %s and got back %s', coalesce(p.wallet_id, m.wallet_id),
            trim_scale(coalesce(m.fee, 0)), trim_scale(coalesce(m.refund, 0))) as message
        from due p full join moved m on m.purchase = p.id and m.wallet_id = p.wallet_id
        where case when p.id is null then not exists (
              select from audit a
              where a.operation = 'deletePurchase' and a.object_id = m.purchase::text
                or a.operation = 'deleteProgram'
                  and a.before -> 'purchases' @> jsonb_build_array(jsonb_build_object('id', m.purchase)))
            and not exists (select from removed_sales where purchase_id = m.purchase)
          else (coalesce(m.fee, 0), coalesce(m.refund, 0)) <> (p.fee, p.refund)
            or (p.status in (1, 2, 3, 5) and p.paid_from is null) or (p.status = 0 and p.paid_from is not null) end""",
    )


async def external_purchases_are_paid_first(conn: Connection) -> Rows:
    """A purchase with a payment reference has no challenge before its payment is confirmed, and one afterwards."""
    return await first_rows(
        conn,
        """
        select format('purchase %s', p.id) as subject,
          format('has status %s, is paid from %s and has %s challenges', p.status, coalesce(p.paid_from, 'nowhere'),
            c.challenges) as message
        from purchases p
        cross join lateral (select count(*) as challenges from challenges where purchase_id = p.id) c
        where p.payment_reference is not null
          and (p.paid_from is not distinct from 'OUTSIDE') <> (c.challenges > 0)""",
    )


async def fees_return_with_the_first_payout(conn: Connection) -> Rows:
    """If the terms say so, the price was returned once, with the first PAID payout; never otherwise.

    A REFUNDED (5) or deleted purchase need not have its price returned.
    """
    return await first_rows(
        conn,
        """
        with moved as (
          select t.currency, t.amount,
            substring(t.cause from '^purchase ([0-9]+) fee returned with payout [0-9]+$')::bigint as purchase,
            substring(t.cause from '^purchase [0-9]+ fee returned with payout ([0-9]+)$')::bigint as payout
          from transfers t where t.kind = 'FEE_RETURN' and t.wallet_id is not null),
        firsts as (
          select distinct on (challenge_id) challenge_id, id from payouts where status = 'PAID'
          order by challenge_id, paid_at, id),
        due as (
          select p.id, p.currency, p.price, p.status, p.fee_returned_with, f.id as payout,
            coalesce(t.fee_back, false) and p.price > 0 and f.id is not null as is_due
          from purchases p
          left join challenges c on c.purchase_id = p.id
          left join firsts f on f.challenge_id = c.id
          left join lateral (
            select (body::jsonb -> 'phases' -> -1 -> 'payout' ->> 'fee_back')::boolean as fee_back from terms
            where hash = p.terms_hash and hash = encode(sha256(convert_to(body, 'UTF8')), 'hex')) t on true)
        select format('purchase %s', coalesce(d.id::text, m.purchase::text, 'unknown')) as subject,
          format('its first payout is %s and %s its price; it names payout %s; %s was returned with payout %s',
            coalesce(d.payout::text, 'none'), case when d.is_due then 'returns' else 'does not return' end,
            coalesce(d.fee_returned_with::text, 'none'), trim_scale(coalesce(m.amount, 0)),
            coalesce(m.payout::text, 'none')) as message
        from due d full join moved m on m.purchase = d.id
        where case when d.id is null then not exists (
              select from audit a
              where a.operation = 'deletePurchase' and a.object_id = m.purchase::text
                or a.operation = 'deleteProgram'
                  and a.before -> 'purchases' @> jsonb_build_array(jsonb_build_object('id', m.purchase)))
            and not exists (select from removed_sales where purchase_id = m.purchase)
          when m.payout is null then d.fee_returned_with is not null or (d.is_due and d.status <> 5)
          else (m.payout, m.amount, m.currency) is distinct from (d.payout, d.price, d.currency)
            or not d.is_due or d.fee_returned_with is distinct from m.payout end""",
    )


async def payouts_follow_the_split(conn: Connection) -> Rows:
    """A payout is the profit times the split sold, cut to the currency's minor unit."""
    return await first_rows(
        conn,
        """
        select format('payout %s', p.id) as subject,
          format('pays %s of a profit of %s at a split of %s, sold at %s', trim_scale(p.amount), trim_scale(p.profit),
            trim_scale(p.split), s.split) as message
        from payouts p
        join challenge_phases r on r.id = p.phase_id
        join challenges c on c.id = p.challenge_id
        join terms t on t.hash = c.terms_hash
        join currencies u on u.code = p.currency
        cross join lateral (
          select case when t.hash = encode(sha256(convert_to(t.body, 'UTF8')), 'hex')
            then (t.body::jsonb -> 'phases' -> (r.phase_index - 1) ->> 'profit_split')::numeric end as split) s
        where p.split is distinct from s.split or p.amount <> trunc(p.profit * p.split, u.minor_units)""",
    )


async def payouts_moved_what_they_say(conn: Connection) -> Rows:
    """The transfers of a payout agree with it: the amount that left the account, the amount held, the amount paid."""
    return await first_rows(
        conn,
        """
        select coalesce('payout ' || p.id, m.cause) as subject,
          format('is %s with profit %s and client''s share %s; %s left the account, %s is held, %s was paid',
            coalesce(p.status, 'missing'), trim_scale(p.profit), trim_scale(p.amount), trim_scale(coalesce(m.gone, 0)),
            trim_scale(coalesce(m.held, 0)), trim_scale(coalesce(m.paid, 0))) as message
        from payouts p
        full join (
          select t.brand, t.cause, -sum(t.amount) filter (where t.account_id is not null) as gone,
            sum(t.amount) filter (where h.purpose = 'PAYOUT_HOLD') as held,
            sum(t.amount) filter (where t.wallet_id is not null) as paid
          from transfers t left join house_accounts h on h.id = t.house_account_id
          where t.kind in ('PAYOUT_PROFIT', 'PAYOUT_SHARE') group by t.brand, t.cause) m
          on m.brand = p.brand and m.cause = 'payout ' || p.id
        where p.id is null
          or coalesce(m.gone, 0) <> case when p.status in ('REQUESTED', 'APPROVED', 'PAID') then p.profit else 0 end
          or coalesce(m.held, 0) <> case when p.status in ('REQUESTED', 'APPROVED') then p.profit else 0 end
          or coalesce(m.paid, 0) <> case when p.status = 'PAID' then p.amount else 0 end""",
    )


async def payouts_are_held_until_paid(conn: Connection) -> Rows:
    """The balance of PAYOUT_HOLD is the profit of the open payouts."""
    return await first_rows(
        conn,
        """
        select
          format('PAYOUT_HOLD of %s in %s', coalesce(h.brand, p.brand), coalesce(h.currency, p.currency)) as subject,
          format('holds %s, open payouts sum to %s', trim_scale(coalesce(h.balance, 0)),
            trim_scale(coalesce(p.profit, 0))) as message
        from (select brand, currency, balance from house_accounts where purpose = 'PAYOUT_HOLD') h
        full join (
          select brand, currency, sum(profit) as profit from payouts where status in ('REQUESTED', 'APPROVED')
          group by brand, currency) p on p.brand = h.brand and p.currency = h.currency
        where coalesce(h.balance, 0) <> coalesce(p.profit, 0)""",
    )


async def payouts_reached_their_clients(conn: Connection) -> Rows:
    """The PAYOUT_SHARE transfers to a client's wallets are the shares of the PAID payouts."""
    return await first_rows(
        conn,
        """
        select format('client %s of %s', coalesce(p.client, t.client), coalesce(p.brand, t.brand)) as subject,
          format('has paid payouts of %s %s, but its wallet received %s', trim_scale(coalesce(p.share, 0)),
            coalesce(p.currency, t.currency), trim_scale(coalesce(t.came, 0))) as message
        from (
          select o.brand, x.client, o.currency, sum(o.amount) as share
          from payouts o join wallets x on x.id = o.wallet_id
          where o.status = 'PAID' group by o.brand, x.client, o.currency) p
        full join (
          select w.brand, w.client, w.currency, sum(m.amount) as came
          from transfers m join wallets w on w.id = m.wallet_id
          where m.kind = 'PAYOUT_SHARE' group by w.brand, w.client, w.currency) t
          on (t.brand, t.client, t.currency) = (p.brand, p.client, p.currency)
        where coalesce(p.share, 0) <> coalesce(t.came, 0)""",
    )
