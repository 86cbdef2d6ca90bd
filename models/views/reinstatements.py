"""Reinstatements as the API shows them, newest first. Each sets one verdict aside."""

from models.views.list_query import Listing, ParentLink
from models.views.visibility import of_challenge

REINSTATEMENTS = Listing(
    columns="""t.id, t.challenge_id, t.breach_id, t.reason, t.actor, t.market_time, t.recorded_at, f.account_id,
  n.account_id as new_account_id, t.differences::text as differences_text, t.left_out::text as left_out_text""",
    source="""reinstatements t join challenges c on c.id = t.challenge_id join challenge_phases f on f.id = t.phase_id
  join challenge_phases n on n.id = t.new_phase_id""",
    visibility=of_challenge,
    parents={
        "breach": ParentLink("t.breach_id = p.id"),
        "phase": ParentLink("t.phase_id = p.id"),
        "new_phase": ParentLink("t.new_phase_id = p.id"),
    },
)
