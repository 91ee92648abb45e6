"""URLs of the leaderboard app."""

from django.urls import URLPattern, path, re_path

from arena.leaderboard import comparing_views, figure_views, plan_views, views

app_name = "leaderboard"
urlpatterns: list[URLPattern] = [
    path("compare/", comparing_views.compare, name="compare"),
    path("boards/", views.boards, name="boards"),
    path("boards/external/<slug:name>/", views.external, name="external"),
    path("boards/external/<slug:name>/<str:metric>/", views.external, name="external"),
    path("boards/external/<slug:name>/<str:metric>/<path:kind>/", views.external, name="external"),
    path("boards/next/", plan_views.next_matchups, name="next"),
    path("boards/next/<str:kind>/", plan_views.next_matchups, name="next"),
    path("boards/<str:metric>/", views.one_board, name="board"),
    path("boards/<str:metric>/<str:kind>/", views.one_board, name="board"),
    path("figures/", figure_views.figures, name="figures"),
    path("figures/<str:kind>/", figure_views.figure_page, name="figure"),
    re_path(r"^figures/(?P<kind>[a-z]+)\.(?P<form>svg|png|csv)$", figure_views.figure_file, name="figure-file"),
]
