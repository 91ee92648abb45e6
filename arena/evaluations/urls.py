"""URLs of the evaluations app."""

from django.urls import path

from arena.evaluations import views

urlpatterns = [
    path("status/", views.status, name="status"),
    path("status/loop", views.status_part, name="status-part"),
    path("status.json", views.status_json, name="status-json"),
]
