"""Parts shared by the payloads of all mutations: user errors and changed fields."""

from collections.abc import Sequence
from typing import Any, Self

import strawberry
from strawberry import UNSET

from domain.errors import REGISTRY, InvalidProgram, Problem, Refused
from schema.enums import ErrorCode
from services.saving import SavedObject


@strawberry.type(description="A reason why a mutation was refused.")
class UserError:
    code: ErrorCode = strawberry.field(description="Stable error code.")
    field: str | None = strawberry.field(
        description="Path of the input field with the error, such as `steps[0].name`; null if no single field caused "
        "it."
    )
    message: str = strawberry.field(description="Error in plain words.")
    transient: bool = strawberry.field(description="True if the same request may succeed later.")


@strawberry.type(description="Result of a mutation.")
class Payload:
    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Reasons why the mutation was refused; empty if it succeeded."
    )

    @classmethod
    def refused(cls, refusal: Refused) -> Self:
        """Return the payload of a refused mutation."""
        return cls(user_errors=user_errors(refusal))


@strawberry.type(description="A field that a save changed.")
class FieldChange:
    field: str = strawberry.field(description="Path of the field, such as `policy.leverageMax` or `steps[0].name`.")
    before: str | None = strawberry.field(description="Value before the save, as text; null if there was none.")
    after: str | None = strawberry.field(description="Value after the save, as text; null if there is none.")


@strawberry.type(description="Result of a save.")
class SavePayload(Payload):
    changes: list[FieldChange] = strawberry.field(
        default_factory=list, description="Changed fields with their values before and after; empty if nothing changed."
    )


def field_changes(saved: SavedObject) -> list[FieldChange]:
    """Return the changed fields of a save for the API."""
    return [FieldChange(field=field, before=before, after=after) for field, before, after in saved.changes]


def input_fields(input: object, *keys: str) -> dict[str, Any]:
    """Return the fields of an input that are set, null included, without the fields `keys`."""
    return {name: value for name, value in vars(input).items() if value is not UNSET and name not in keys}


def problem_errors(problems: Sequence[Problem]) -> list[UserError]:
    """Return a user error for each problem of a program."""
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
    """Return the user errors of a refusal: one, or one for each problem of a program."""
    if isinstance(refusal, InvalidProgram):
        return problem_errors(refusal.problems)
    code = ErrorCode[refusal.code]
    return [UserError(code=code, field=refusal.field, message=str(refusal), transient=refusal.transient)]
