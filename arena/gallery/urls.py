"""URLs of the gallery app: the pages that name checkpoints, and their images."""

from django.urls import path

from arena.gallery import image_views, lora_views, sample_views, side_by_side_views, views

urlpatterns = [
    path("runs/<str:name>/", views.run, name="run"),
    path("checkpoints/", side_by_side_views.checkpoints, name="checkpoints"),
    path("checkpoints/<slug:sha12>/", views.checkpoint, name="checkpoint"),
    path("loras/<slug:sha12>/", lora_views.lora, name="lora"),
    path("side-by-side/", side_by_side_views.side_by_side, name="side-by-side"),
    path("samples/<int:pk>/", sample_views.sample, name="sample-page"),
    path("samples/<int:pk>.png", image_views.sample, name="sample"),
    path("samples/<int:pk>/archive.png", image_views.archive, name="sample-archive"),
    path("samples/<int:pk>/less/<int:other>/", sample_views.difference, name="difference-page"),
    path("samples/<int:pk>/less/<int:other>.png", image_views.difference, name="difference"),
    path("characters/<str:name>/<int:number>.png", image_views.reference, name="reference"),
]
