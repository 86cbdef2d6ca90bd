"""Root fields: each declares the roles that may use it, and every mutation returns a refusal as user errors.

Every root field of query and mutation is nullable, whatever its resolver returns: one field may be refused (role,
missing object), and the other fields of the document are still answered.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Optional, cast

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.types.field import StrawberryField

from domain.errors import Refused
from schema.engine.computed_fields import Method
from schema.engine.errors import NotAllowed, top_level_error
from schema.engine.readers import check_filters
from schema.engine.request_context import Info
from services.callers import current
from services.principals import Role
from services.standby import announce_write
from services.telemetry import REFUSALS

EVERYONE = frozenset(Role)
NextResolver = Callable[..., Awaitable[Any]]


class RoleCheck(FieldExtension):
    """The extension that allows only these roles; with `nobody_too` also a request without a token."""

    def __init__(self, roles: frozenset[Role], *, nobody_too: bool = False) -> None:
        self.roles = roles
        self._nobody_too = nobody_too

    async def resolve_async(self, next_: NextResolver, source: Any, info: Info, **arguments: Any) -> Any:
        if not (self._nobody_too and info.context.bearer is None):
            self._check(info, arguments.values())
        answer = next_(source, info, **arguments)
        return answer if inspect.isasyncgen(answer) else await answer

    def _check(self, info: Info, arguments: Iterable[Any]) -> None:
        """Raise NotAllowed for another role, and Unauthenticated without a token."""
        role = info.context.principal.role
        if role not in self.roles:
            raise NotAllowed(f"A token of role {role} may not use {info.field_name}.")
        check_filters(role, arguments)


class UserErrors(FieldExtension):
    """The extension that returns a refusal as user errors of the payload, or as a top-level error."""

    def apply(self, field: StrawberryField) -> None:
        self.field = field

    async def resolve_async(self, next_: NextResolver, source: Any, info: Info, **arguments: Any) -> Any:
        if caller := current():
            caller.begin_field()
        await announce_write()
        try:
            return await next_(source, info, **arguments)
        except Refused as refusal:
            REFUSALS.labels(refusal.code).inc()
            if error := top_level_error(refusal):
                raise error from refusal
            optional: Any = self.field.type
            return optional.of_type.refused(refusal)


def _nullable(method: Method) -> Method:
    """Return the resolver, declared as one that may return null."""
    returned = method.__annotations__["return"]
    method.__annotations__["return"] = Optional[returned]  # noqa: UP045 - `|` fails for a name given as text
    return method


def query(description: str, *roles: Role, refusals: bool = False) -> Callable[[Method], Method]:
    """Declare a root field of the query, for every token if no roles are given. `refusals`: it returns user errors."""
    extensions: list[FieldExtension] = [UserErrors()] if refusals else []
    extensions.append(RoleCheck(frozenset(roles) or EVERYONE))
    declare = strawberry.field(description=description, extensions=extensions)
    return cast("Callable[[Method], Method]", lambda method: declare(_nullable(method)))


def mutation(description: str, *roles: Role) -> Callable[[Method], Method]:
    """Declare a root field of the mutation."""
    return _mutation(description, RoleCheck(frozenset(roles)))


def unguarded_mutation(description: str) -> Callable[[Method], Method]:
    """Declare a root field of the mutation that needs no token: its input carries the secret."""
    return _mutation(description, RoleCheck(EVERYONE, nobody_too=True))


def _mutation(description: str, permission: RoleCheck) -> Callable[[Method], Method]:
    declare = strawberry.mutation(description=description, extensions=[UserErrors(), permission])
    return cast("Callable[[Method], Method]", lambda method: declare(_nullable(method)))


def subscription(description: str, *roles: Role) -> Callable[[Method], Method]:
    """Declare a root field of the subscription."""
    extensions: list[FieldExtension] = [RoleCheck(frozenset(roles))]
    return cast("Callable[[Method], Method]", strawberry.subscription(description=description, extensions=extensions))


def roles_of(field: StrawberryField) -> frozenset[Role] | None:
    """Return the roles that may use a root field; None if it declares none."""
    return next((extension.roles for extension in field.extensions if isinstance(extension, RoleCheck)), None)
