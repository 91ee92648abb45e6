"""URLs of the votes app."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
