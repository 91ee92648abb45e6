"""URLs of the leaderboard app."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
