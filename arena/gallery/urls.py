"""URLs of the gallery app: the pages that name checkpoints."""

from django.urls import path

from arena.gallery import views

urlpatterns = [
    path("runs/<str:name>/", views.run, name="run"),
    path("checkpoints/<slug:sha12>/", views.checkpoint, name="checkpoint"),
    path("samples/<int:pk>.png", views.sample, name="sample"),
    path("characters/<str:name>/<int:number>.png", views.reference, name="reference"),
]
