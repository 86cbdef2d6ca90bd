"""Progress on a rule of a phase."""

from decimal import Decimal
from typing import Self

import strawberry
from strawberry import field

from domain.limit_progress import Progress
from domain.rule_table import Rule


@strawberry.type(
    description="Progress of a phase, or of an account without a phase, on one of its rules. Amounts are in the "
    "account's currency."
)
class RuleProgress:
    rule: Rule = field(description="Rule that is measured.")
    limit: Decimal = field(description="Configured limit: a percentage, an amount or a count.")
    measured: Decimal = field(description="Current value that is compared with the level.")
    level: Decimal = field(description="Level: a floor, a ceiling, or a required count.")
    headroom: Decimal = field(description="Distance to the level; negative if the level has been passed.")
    done: Decimal = field(
        description="Progress from the start towards the level: the profit or loss so far (negative in the opposite "
        "direction), or a number of days or positions."
    )
    needed: Decimal = field(description="Total distance from the start to the level, in the same unit as `done`.")
    used: Decimal = field(description="Share of the distance covered: 0 at the start, 1 at the level.")

    @classmethod
    def of(cls, at: Progress) -> Self:
        return cls(
            rule=at.rule,
            limit=at.limit,
            measured=at.measured,
            level=at.level,
            headroom=at.headroom,
            done=at.done,
            needed=at.needed,
            used=at.used,
        )
