"""Wrong settings are refused by the variable's name before anything starts; right ones pass the deployment check."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.site import ROOT, free_port

SECRET = "geheim"
MANAGE = ("manage.py", "check")
WEB = ("-m", "gunicorn", "-c", "python:arena.serving", "arena.wsgi", "--bind", "127.0.0.1:0")
WORKER = ("-m", "celery", "-A", "arena", "worker", "--pool", "solo")
WRONG = [
    {
        "DATABASE_URL": f"mysql://arena:{SECRET}@host/name",
        "CELERY_BROKER_URL": f"http://arena:{SECRET}@host",
        "ARENA_CACHE_URL": f"memcached://arena:{SECRET}@host",
        "ARENA_S3_BUCKET": "Not A Bucket",
        "ARENA_S3_ENDPOINT": "minio:9000",
        "ARENA_RENDER_THREADS": "two",
        "ARENA_DTYPE": "int4",
        "ARENA_BLIND_SCALE": "0",
        "ARENA_TICKET_HOURS": "nan",
        "ARENA_SECURE": "perhaps",
    },
    {
        "DATABASE_URL": f"postgres://arena:{SECRET}@host:port/name",
        "CELERY_BROKER_URL": f"redis://arena:{SECRET}@host:port/0",
        "ARENA_CACHE_URL": "redis://",
        "ARENA_S3_BUCKET": "",
        "ARENA_S3_ENDPOINT": "http://minio:9000",
    },
    {"DATABASE_URL": f"postgres://arena:{SECRET}@host/", "CELERY_BROKER_URL": "redis:///0"},
]


def run(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ARENA_", "AWS_"))}
    for name in ("DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE"):
        inherited.pop(name, None)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=inherited | {"ARENA_HOME": str(home)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("wrong", WRONG)
def test_every_wrong_value_is_one_error_that_names_the_variable(tmp_path: Path, wrong: dict[str, str]) -> None:
    done = run(tmp_path, *MANAGE, **wrong)
    named = re.findall(r"\(arena\.E001\) (\w+): ", done.stderr)
    right = {"ARENA_S3_ENDPOINT"} if not wrong.get("ARENA_S3_BUCKET", "x") else set()
    assert done.returncode == 1
    assert sorted(named) == sorted(set(wrong) - right)
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr + done.stdout


@pytest.mark.parametrize("process", [WEB, WORKER], ids=("web", "worker"))
def test_web_and_worker_refuse_to_start(tmp_path: Path, process: tuple[str, ...]) -> None:
    done = run(tmp_path, *process, CELERY_BROKER_URL="http://host")
    assert done.returncode != 0
    assert "refused to start: CELERY_BROKER_URL: 'http'" in done.stderr
    assert "Traceback" not in done.stderr


def test_migrating_names_a_database_that_does_not_answer(tmp_path: Path) -> None:
    url = f"postgres://arena:{SECRET}@127.0.0.1:{free_port()}/name"
    done = run(tmp_path, "manage.py", "migrate", DATABASE_URL=url)
    assert done.returncode == 1
    assert "DATABASE_URL: the database does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr


DEPLOYED = {
    "ARENA_SECURE": "yes",
    "ARENA_BEHIND_PROXY": "yes",
    "ARENA_ALLOWED_HOSTS": "arena.example",
    "ARENA_TRUSTED_ORIGINS": "https://arena.example",
}


def test_the_deployment_check_is_clean(tmp_path: Path) -> None:
    done = run(tmp_path, *MANAGE, "--deploy", "--fail-level", "DEBUG", **DEPLOYED)
    assert (done.returncode, done.stdout.strip()) == (0, "System check identified no issues (0 silenced).")


def test_the_deployment_check_asks_queue_and_store(tmp_path: Path) -> None:
    away = {
        "CELERY_BROKER_URL": f"redis://:{SECRET}@127.0.0.1:{free_port()}/0",
        "ARENA_S3_BUCKET": "images",
        "ARENA_S3_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    done = run(tmp_path, *MANAGE, "--deploy", **DEPLOYED, **away)
    assert done.returncode == 1
    assert "CELERY_BROKER_URL: redis://:**@127.0.0.1" in done.stderr
    assert "ARENA_S3_BUCKET: the store failed" in done.stderr
    assert SECRET not in done.stderr
    assert "Traceback" not in done.stderr


def test_plain_requests_are_sent_on_to_https_and_cookies_are_secure(tmp_path: Path) -> None:
    script = (
        "import django; django.setup()\n"
        "from django.core.management import call_command; call_command('migrate', verbosity=0)\n"
        "from django.test import Client\n"
        "plain = Client(headers={'Host': 'arena.example'})\n"
        "proxied = Client(headers={'Host': 'arena.example', 'X-Forwarded-Proto': 'https'})\n"
        "answer = plain.get('/privacy/')\n"
        "print(answer.status_code, answer['Location'], 'X-Request-ID' in answer)\n"
        "print(plain.get('/healthz').status_code)\n"
        "answer = proxied.get('/admin/login/')\n"
        "print(answer.status_code, answer['Strict-Transport-Security'], bool(answer.cookies['csrftoken']['secure']))\n"
    )
    done = run(tmp_path, "-c", script, DJANGO_SETTINGS_MODULE="arena.settings", **DEPLOYED)
    assert done.stdout.splitlines() == [
        "301 https://arena.example/privacy/ True",
        "200",
        "200 max-age=31536000; includeSubDomains; preload True",
    ], done.stderr


def test_compose_names_settings_that_exist_and_every_server_says_whether_it_is_well() -> None:
    described = (ROOT / "docs" / "settings.md").read_text()
    composed = (ROOT / "compose.yaml").read_text()
    services = yaml.safe_load(composed)["services"]
    for name in re.findall(r"\b(ARENA_[A-Z0-9_]+|DATABASE_URL|CELERY_BROKER_URL)\b", composed):
        assert f"`{name}`" in described, name
    assert {name for name, service in services.items() if "healthcheck" not in service} == {"setup"}


def test_the_production_page_names_settings_that_exist() -> None:
    described = (ROOT / "docs" / "settings.md").read_text()
    for name in re.findall(r"\bARENA_[A-Z0-9_]+\b", (ROOT / "docs" / "production.md").read_text()):
        assert f"`{name}`" in described, name


@pytest.mark.parametrize("url", ["memory://", "redis://host:6379/0", "amqp://guest:guest@host:5672//"])
def test_every_kind_of_queue_is_taken(tmp_path: Path, url: str) -> None:
    done = run(tmp_path, *MANAGE, CELERY_BROKER_URL=url)
    assert done.returncode == 0, done.stderr
