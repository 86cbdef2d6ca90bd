"""Root field for the audit."""

import strawberry

from schema.arguments import Filter
from schema.audits import AuditEvent, AuditFilter
from schema.engine.paging import LONG, After, Connection, FirstLong, page_request, read_page
from schema.engine.permissions import query
from schema.engine.request_context import Info
from schema.filters import filters_of
from services.principals import Role
from services.views.lists import AUDIT


@strawberry.type
class AuditQuery:
    @query(
        "Changes made by managers and admins, newest first within each brand. A MANAGER sees only those of its own "
        "brand.",
        Role.ADMIN,
        Role.MANAGER,
    )
    async def audit_log(
        self, info: Info, first: FirstLong = 20, after: After = None, where: Filter[AuditFilter] = None
    ) -> Connection[AuditEvent]:
        return await read_page(info, AUDIT, page_request(AUDIT, first, after, most=LONG), filters_of(where))
