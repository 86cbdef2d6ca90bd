"""Challenges, their phases and days as the API shows them."""

from models.views.list_query import Each, Key, Listing, Parent, Part, Within
from models.views.search import name, number, program, search, sees_notes
from models.views.spans import span
from models.views.visibility import of_challenge

ID = (Key("c.id", "id"),)

CHALLENGES = Listing(
    columns="""c.id, c.brand, c.client, c.status, c.current_phase_index, c.created_at, c.ended_at, c.end_reason,
  c.purchase_id, c.program_id, c.account_id, c.terms_hash, r.version as terms_version,
  g.version <> r.program_version as program_changed""",
    source="""challenges c left join programs g on g.id = c.program_id
  left join terms r on r.hash = c.terms_hash""",
    sight=of_challenge,
    brand="c.brand",
    order=ID,
    id="c.id = any({}::bigint[])",
    filters={
        "purchase_id": Within("c.purchase_id = {}"),
        "account_id": Within("c.id = (select a.challenge_id from accounts a where a.id = {})"),
        "hit": Within("""c.id in (
          select b.challenge_id from breaches b join accounts a on a.id = b.account_id
          where b.consequence = 'FAIL' and b.batch >= {2} and exists (
            select from positions h
            where h.account_id = b.account_id and h.opened_at < {4} and coalesce(h.closed_at, 'infinity') >= {3}
              and (h.symbol, a.currency) in (select * from unnest({0}::text[], {1}::text[]))))"""),
        "client": Each("c.client", of_brand=True),
        "program_id": Each("c.program_id", "bigint"),
        "status": Each("c.status", "smallint", of_brand=True),
        "phase_type": """(select f.phase_type from challenge_phases f where f.challenge_id = c.id
          and f.phase_index = c.current_phase_index limit 1) = any({}::smallint[])""",
        **span("created", "challenges", "c.created_at", "c.id"),
        "text": search(
            number("challenges", "c"),
            name("challenges", "c", "client"),
            program("challenges"),
            Part(
                "(select p.external_reference from purchases p where p.id = c.purchase_id) ilike {pattern}",
                """select h.id from purchases p join challenges h on h.purchase_id = p.id
                where p.brand = coalesce({brand}, p.brand) and p.external_reference ilike {pattern}""",
                sees_notes,
                looks=1,
            ),
        ),
    },
    parents={"purchase": Parent("c.purchase_id = p.id")},
    own="client",
    scope=(
        Each("c.client", of_brand=True),
        Within("""c.id = any(array(select s.challenge_id from accounts s
          where s.brand = n.brand and s.clone = any({}::text[]) and s.challenge_id is not null))"""),
        Within("c.id = any({}::bigint[])"),
        Within("c.id = any(array(select s.challenge_id from accounts s where s.id = any({}::bigint[])))"),
    ),
)
PHASES = Listing(
    columns="""t.id, t.challenge_id, t.phase_index, t.phase_type, t.status, t.account_id, t.initial_balance,
  t.start_equity, t.started_at, t.ended_at, t.end_reason, t.run, t.superseded,
  (select r.body::jsonb -> 'phases' -> (t.phase_index - 1) ->> 'name' from terms r where r.hash = c.terms_hash)
    as name""",
    source="challenge_phases t join challenges c on c.id = t.challenge_id",
    sight=of_challenge,
    order=(Key("t.phase_index", "phase_index"), Key("t.run", "run")),
    descending=False,
    # A phase that a failure left unreached has a new row once the challenge goes on.
    parents={"challenge": Parent("t.challenge_id = p.id and (t.account_id is not null or not t.superseded)")},
)
# The running day's row is its opening snapshot; where it stands now is in the balances.
DAYS = Listing(
    columns="""f.account_id, f.phase_index, t.number, t.date, t.start_balance, t.start_equity,
  coalesce(b.cash, t.balance) as balance,
  coalesce(b.equity, t.equity) as equity, coalesce(b.day_low, t.low) as low, coalesce(b.day_high, t.high) as high,
  coalesce(b.day_traded, t.traded) as traded, t.ends_at, t.closed""",
    source="""days t join challenge_phases f on f.id = t.phase_id
  left join balances b on b.account_id = f.account_id and b.day = t.number and not t.closed""",
    sight=of_challenge,
    order=(Key("f.phase_index", "phase_index"), Key("t.number", "number")),
    filters={"phase_index": Within("f.phase_index = {}")},
    # A run that goes on in another's place has that one's days too.
    parents={"challenge": Parent("f.challenge_id = p.id and not f.superseded"), "phase": Parent("f.id = p.id")},
)
