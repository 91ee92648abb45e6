"""API tokens in Django's admin: to look at and to revoke. A secret is shown once, by `manage.py api_token create`."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from arena.api.models import ApiToken
from arena.api.tokens import revoke
from arena.recorded import Kept


@admin.register(ApiToken)
class ApiTokenAdmin(Kept):
    list_display = ("name", "scopes", "state", "created_at", "expires_at", "revoked_at", "last_used_at")
    fields = list_display
    actions = ("revoke",)

    @admin.action(description="Revoke the chosen tokens")
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiToken]) -> None:
        for token in chosen:
            revoke(token.name)
        self.message_user(request, f"{len(chosen)} tokens are revoked.")
