"""Challenges, their phases and days as the API shows them."""

from models.views.list_query import IndexedFilter, Listing, NarrowFilter, OrderKey, ParentLink, SearchPart
from models.views.search import column_part, id_part, program_part, sees_notes, text_filter
from models.views.spans import time_filters
from models.views.visibility import of_challenge

ID = (OrderKey("c.id", "id"),)

CHALLENGES = Listing(
    columns="""c.id, c.brand, c.client, c.status, c.current_phase_index, c.created_at, c.ended_at, c.end_reason,
  c.purchase_id, c.program_id, c.account_id, c.terms_hash, r.version as terms_version,
  g.version <> r.program_version as program_changed""",
    source="""challenges c left join programs g on g.id = c.program_id
  left join terms r on r.hash = c.terms_hash""",
    visibility=of_challenge,
    brand="c.brand",
    order=ID,
    id="c.id = any({}::bigint[])",
    filters={
        "purchase_id": NarrowFilter("c.purchase_id = {}"),
        "account_id": NarrowFilter("c.id = (select a.challenge_id from accounts a where a.id = {})"),
        "hit": NarrowFilter("""c.id in (
          select b.challenge_id from breaches b join accounts a on a.id = b.account_id
          where b.consequence = 'FAIL' and b.batch >= {2} and exists (
            select from positions h
            where h.account_id = b.account_id and h.opened_at < {4} and coalesce(h.closed_at, 'infinity') >= {3}
              and (h.symbol, a.currency) in (select * from unnest({0}::text[], {1}::text[]))))"""),
        "client": IndexedFilter("c.client", of_brand=True),
        "program_id": IndexedFilter("c.program_id", "bigint"),
        "status": IndexedFilter("c.status", "smallint", of_brand=True),
        "phase_type": """(select f.phase_type from challenge_phases f where f.challenge_id = c.id
          and f.phase_index = c.current_phase_index limit 1) = any({}::smallint[])""",
        **time_filters("created", "challenges", "c.created_at", "c.id"),
        "text": text_filter(
            id_part("challenges", "c"),
            column_part("challenges", "c", "client"),
            program_part("challenges"),
            SearchPart(
                "(select p.external_reference from purchases p where p.id = c.purchase_id) ilike {pattern}",
                """select h.id from purchases p join challenges h on h.purchase_id = p.id
                where p.brand = coalesce({brand}, p.brand) and p.external_reference ilike {pattern}""",
                sees_notes,
                looks=1,
            ),
        ),
    },
    parents={"purchase": ParentLink("c.purchase_id = p.id")},
    own="client",
    scope=(
        IndexedFilter("c.client", of_brand=True),
        NarrowFilter("""c.id = any(array(select s.challenge_id from accounts s
          where s.brand = n.brand and s.clone = any({}::text[]) and s.challenge_id is not null))"""),
        NarrowFilter("c.id = any({}::bigint[])"),
        NarrowFilter("c.id = any(array(select s.challenge_id from accounts s where s.id = any({}::bigint[])))"),
    ),
)
PHASES = Listing(
    columns="""t.id, t.challenge_id, t.phase_index, t.phase_type, t.status, t.account_id, t.initial_balance,
  t.start_equity, t.started_at, t.ended_at, t.end_reason, t.run, t.superseded,
  (select r.body::jsonb -> 'phases' -> (t.phase_index - 1) ->> 'name' from terms r where r.hash = c.terms_hash)
    as name""",
    source="challenge_phases t join challenges c on c.id = t.challenge_id",
    visibility=of_challenge,
    order=(OrderKey("t.phase_index", "phase_index"), OrderKey("t.run", "run")),
    descending=False,
    # A later phase gets a new row when a reinstatement reopens the challenge; the superseded one has no account.
    parents={"challenge": ParentLink("t.challenge_id = p.id and (t.account_id is not null or not t.superseded)")},
)
# The row of the running day is its opening snapshot; its current figures are in the balances.
DAYS = Listing(
    columns="""f.account_id, f.phase_index, t.number, t.date, t.start_balance, t.start_equity,
  coalesce(b.cash, t.balance) as balance,
  coalesce(b.equity, t.equity) as equity, coalesce(b.day_low, t.low) as low, coalesce(b.day_high, t.high) as high,
  coalesce(b.day_traded, t.traded) as traded, t.ends_at, t.closed""",
    source="""days t join challenge_phases f on f.id = t.phase_id
  left join balances b on b.account_id = f.account_id and b.day = t.number and not t.closed""",
    visibility=of_challenge,
    order=(OrderKey("f.phase_index", "phase_index"), OrderKey("t.number", "number")),
    filters={"phase_index": NarrowFilter("f.phase_index = {}")},
    # A run after a reinstatement has the days of the failed run too.
    parents={"challenge": ParentLink("f.challenge_id = p.id and not f.superseded"), "phase": ParentLink("f.id = p.id")},
)
