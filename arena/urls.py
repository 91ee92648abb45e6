"""The URL table of the whole site; each app brings its own."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("arena.votes.urls")),
    path("", include("arena.leaderboard.urls")),
    path("", include("arena.evaluations.urls")),
    path("", include("arena.gallery.urls")),
    path("api/", include("arena.api.urls")),
    path("admin/", admin.site.urls),
]
