"""The peer: Django as `startproject` sets it up, and one view that inserts one row. Settings, URLs and view in one."""

import os

import dj_database_url
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

SECRET_KEY = "of the benchmark"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = __name__
WSGI_APPLICATION = "django.core.wsgi.get_wsgi_application"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"], conn_max_age=60, conn_health_checks=True)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True


@csrf_exempt
def insert(request: HttpRequest) -> HttpResponse:
    """One row more."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bare (answer) VALUES (%s)", [request.POST["answer"]])
    return HttpResponse("recorded")


urlpatterns = [path("insert", insert)]
