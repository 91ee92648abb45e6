"""URLs of the api app."""

from django.urls import path

from arena.api import views

urlpatterns = [
    path("checkpoints", views.checkpoints, name="api-checkpoints"),
    path("runs/<str:name>/progress", views.run_progress, name="api-run-progress"),
    path("leaderboard", views.leaderboard, name="api-leaderboard"),
    path("evaluations/<int:run_id>", views.evaluation, name="api-evaluation"),
    path("health", views.health, name="api-health"),
]
