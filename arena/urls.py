"""The URL table of the whole site; each app brings its own."""

from django.contrib import admin
from django.urls import include, path

from arena.health import healthz

handler400 = "arena.errors.bad_request"
handler403 = "arena.errors.permission_denied"
handler404 = "arena.errors.page_not_found"
handler500 = "arena.errors.server_error"
urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("", include("arena.votes.urls")),
    path("", include("arena.leaderboard.urls")),
    path("", include("arena.evaluations.urls")),
    path("", include("arena.gallery.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/", include("arena.api.urls")),
    path("admin/", admin.site.urls),
]
