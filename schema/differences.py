"""Differences between stored and recomputed figures of an account."""

from collections.abc import Iterable
from typing import Self

import strawberry
from strawberry import field

from domain import corrections


@strawberry.type(description="A figure whose stored value differs from the recomputed value.")
class Difference:
    what: str = field(
        description="Name of the figure, such as `cash`, `fill 12 realised`, `position 13 quantity` (the number is "
        "the `seq`) or `peak equity`."
    )
    stored: str = field(description="Stored value as text; `none` if there was none.")
    computed: str = field(description="Value recomputed from the remaining fills and quotes, as text.")

    @classmethod
    def every(cls, differences: Iterable[corrections.Difference]) -> list[Self]:
        return [cls(what=one.what, stored=one.stored, computed=one.computed) for one in differences]
