"""URLs of the api app: the view of each method."""

from django.urls import path

from arena.api import board_views, views
from arena.api.requests import methods

urlpatterns = [
    path("checkpoints", methods(POST=views.register_checkpoint), name="api-checkpoints"),
    path("runs/<str:name>/progress", methods(POST=views.run_progress), name="api-run-progress"),
    path("evaluations", methods(GET=views.evaluations, POST=views.start_evaluation), name="api-evaluations"),
    path("evaluations/<int:run_id>", methods(GET=views.evaluation), name="api-evaluation"),
    path("evaluations/<int:run_id>/cancel", methods(POST=views.cancel_evaluation), name="api-evaluation-cancel"),
    path("leaderboard", methods(GET=board_views.leaderboard), name="api-leaderboard"),
    path("comparisons", methods(GET=board_views.comparisons), name="api-comparisons"),
    path("votes", methods(GET=board_views.votes), name="api-votes"),
    path("votes/card", methods(GET=board_views.votes_card), name="api-votes-card"),
    path("openapi.json", methods(GET=views.openapi), name="api-openapi"),
    path("health", methods(GET=views.health), name="api-health"),
]
