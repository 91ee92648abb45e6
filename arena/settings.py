"""One settings file, read from the environment; it runs with none set. docs/settings.md lists every variable."""

import os
import secrets
from pathlib import Path

import dj_database_url

BASE_DIR = Path(__file__).resolve().parent.parent


def env_bool(name: str, default: bool) -> bool:
    """Read a yes/no variable; anything but 1/true/yes/on is no."""
    return os.environ.get(name, str(default)).lower() in {"1", "true", "yes", "on"}


def env_list(name: str, default: str) -> list[str]:
    """Read a comma-separated variable."""
    return [part.strip() for part in os.environ.get(name, default).split(",") if part.strip()]


def local_secret(name: str) -> str:
    """Make a random secret on first use and keep it in ARENA_HOME, readable by its owner only."""
    path = HOME / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{name}.{os.getpid()}")
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(partial, path)
        except FileExistsError:
            pass
        finally:
            partial.unlink()
    return path.read_text()


# Everything the arena writes: database, queue, images, runs.
HOME = Path(os.environ.get("ARENA_HOME", BASE_DIR / "var")).resolve()
HOME.mkdir(parents=True, exist_ok=True)

SECRET_KEY = os.environ.get("ARENA_SECRET_KEY") or local_secret("secret-key")
DEBUG = env_bool("ARENA_DEBUG", False)
ALLOWED_HOSTS = env_list("ARENA_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("ARENA_TRUSTED_ORIGINS", "")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "arena",
    "arena.gallery",
    "arena.polls",
    "arena.votes",
    "arena.evaluations",
    "arena.leaderboard",
    "arena.api",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "arena.urls"
WSGI_APPLICATION = "arena.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "arena" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": dj_database_url.config(default=f"sqlite:///{HOME / 'arena.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # IMMEDIATE takes the write lock at once, so two writers wait instead of failing half-way.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
STATIC_ROOT.mkdir(exist_ok=True)
# WhiteNoise reads the apps' own folders and warns where the collected ones are missing.
STATIC_ROOT.mkdir(exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "arena" / "static"]
MEDIA_ROOT = HOME / "media"
# Images are only ever served through views that know who may see what; S3 needs the extra `s3`.
STORAGES = {
    "default": {
        "BACKEND": os.environ.get("ARENA_STORAGE", "django.core.files.storage.FileSystemStorage"),
        "OPTIONS": {"bucket_name": os.environ["ARENA_S3_BUCKET"], "endpoint_url": os.environ.get("ARENA_S3_ENDPOINT")}
        if "ARENA_S3_BUCKET" in os.environ
        else {},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env_bool("ARENA_SECURE_COOKIES", False)

# The embedded queue is one SQLite file and needs exactly one worker; Redis or RabbitMQ take any number.
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", f"sqla+sqlite:///{HOME / 'queue.sqlite3'}")
CELERY_TASK_DEFAULT_QUEUE = os.environ.get("ARENA_QUEUE", "arena")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# Loaded by the worker only, by dotted path, so that the web process stays free of torch.
ARENA_RENDERER = os.environ.get("ARENA_RENDERER", "generation.renderer.Renderer")
ARENA_DEVICE = os.environ.get("ARENA_DEVICE", "cpu")
ARENA_RENDER_THREADS = int(os.environ.get("ARENA_RENDER_THREADS", "1"))
ARENA_API_TOKEN = os.environ.get("ARENA_API_TOKEN") or local_secret("api-token")
# How many times a served image is enlarged: the demo's 64 px images are shown at 256 px.
ARENA_BLIND_SCALE = int(os.environ.get("ARENA_BLIND_SCALE", "4"))
# A matchup can be answered this long after it was first shown.
ARENA_TICKET_HOURS = float(os.environ.get("ARENA_TICKET_HOURS", "24"))
ARENA_FREE_PROMPT_BUDGET_SECONDS = int(os.environ.get("ARENA_FREE_PROMPT_BUDGET_SECONDS", "120"))

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("ARENA_LOG_LEVEL", "WARNING")},
}
