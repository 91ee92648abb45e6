"""URLs of the evaluations app."""

from django.urls import path

from arena.evaluations import views

urlpatterns = [
    path("status/", views.status, name="status"),
    path("status/loop", views.status_part, name="status-part"),
    path("status.json", views.status_json, name="status-json"),
    path("evaluations/<int:pk>/", views.evaluation, name="evaluation"),
    path("evaluations/<int:pk>/part", views.evaluation_part, name="evaluation-part"),
    path("evaluations/<int:pk>/cancel", views.cancel_evaluation, name="evaluation-cancel"),
    path("evaluations/<int:pk>/resume", views.resume_evaluation, name="evaluation-resume"),
]
