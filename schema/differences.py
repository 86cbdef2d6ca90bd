"""Figures that two computations of the same books give otherwise."""

from collections.abc import Iterable
from typing import Self

import strawberry
from strawberry import field

from domain import corrections


@strawberry.type(description="A figure as it was kept, and as it is computed again.")
class Difference:
    what: str = field(
        description="Such as `cash`, `fill 12 realised`, `position 13 quantity` (numbers are seqs) or `peak equity`."
    )
    stored: str = field(description="As it was kept; `none` where there was nothing.")
    computed: str = field(description="As the fills and quotes that remain give it.")

    @classmethod
    def every(cls, differences: Iterable[corrections.Difference]) -> list[Self]:
        return [cls(what=one.what, stored=one.stored, computed=one.computed) for one in differences]
