"""Admin pages of rows that the arena writes itself: to look at, and where nothing else is said to delete."""

from django.contrib import admin
from django.http import HttpRequest


class Recorded(admin.ModelAdmin):
    """Written by the arena only."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Never by hand."""
        return False


class Kept(Recorded):
    """Not deleted by hand either."""

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Never by hand."""
        return False
