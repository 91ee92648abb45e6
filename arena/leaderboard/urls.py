"""URLs of the leaderboard app."""

from django.urls import URLPattern, path

from arena.leaderboard import views

app_name = "leaderboard"
urlpatterns: list[URLPattern] = [
    path("boards/", views.boards, name="boards"),
    path("boards/<str:metric>/", views.one_board, name="board"),
    path("boards/<str:metric>/<str:kind>/", views.one_board, name="board"),
]
