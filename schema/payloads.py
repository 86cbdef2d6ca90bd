"""What every mutation answers beside its object: why it did nothing, field by field."""

from collections.abc import Sequence
from typing import Any, Self

import strawberry
from strawberry import UNSET

from domain.errors import REGISTRY, InvalidProgram, Problem, Refused
from schema.enums import ErrorCode
from services.saving import Saved


@strawberry.type(description="A reason why a mutation did nothing.")
class UserError:
    code: ErrorCode = strawberry.field(description="What is wrong; stable.")
    field: str | None = strawberry.field(description="The input's field it is about, such as `steps[0].name`.")
    message: str = strawberry.field(description="The same for people.")
    transient: bool = strawberry.field(description="Whether the same request may succeed later.")


@strawberry.type(description="What every mutation answers.")
class Payload:
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why nothing was done; empty when it was done."
    )

    @classmethod
    def refused(cls, refusal: Refused) -> Self:
        """The answer to what was refused."""
        return cls(user_errors=user_errors(refusal))


@strawberry.type(description="A field of a saved object that the save has changed.")
class FieldChange:
    field: str = strawberry.field(description="The field, nested ones as `policy.leverageMax` or `steps[0].name`.")
    before: str | None = strawberry.field(description="Its value before, as text; null where it had none.")
    after: str | None = strawberry.field(description="Its value now, as text; null where it has none.")


@strawberry.type(description="What every save answers.")
class SavePayload(Payload):
    changes: list[FieldChange] = strawberry.field(
        default_factory=list, description="The fields that changed, before and after; empty if the save changed none."
    )


def field_changes(saved: Saved) -> list[FieldChange]:
    """The changes of a save as the API tells them."""
    return [FieldChange(field=field, before=before, after=after) for field, before, after in saved.changes]


def input_fields(input: object, *keys: str) -> dict[str, Any]:
    """The fields of an input that are not left out, null among them, without these keys."""
    return {name: value for name, value in vars(input).items() if value is not UNSET and name not in keys}


def problem_errors(problems: Sequence[Problem]) -> list[UserError]:
    """What is wrong with a program, each at its path."""
    return [
        UserError(
            code=ErrorCode[problem.code],
            field=problem.path,
            message=problem.message,
            transient=REGISTRY[problem.code].transient,
        )
        for problem in problems
    ]


def user_errors(refusal: Refused) -> list[UserError]:
    """The refusal as the API tells it; a program's problems one by one."""
    if isinstance(refusal, InvalidProgram):
        return problem_errors(refusal.problems)
    code = ErrorCode[refusal.code]
    return [UserError(code=code, field=refusal.field, message=str(refusal), transient=refusal.transient)]
