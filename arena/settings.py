"""One settings file, read from the environment; it runs with none set. docs/settings.md lists every variable."""

import os
import secrets
from pathlib import Path

from arena import environment

BASE_DIR = Path(__file__).resolve().parent.parent


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
DEBUG = environment.boolean("ARENA_DEBUG", False)
ALLOWED_HOSTS = environment.listing("ARENA_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = environment.listing("ARENA_TRUSTED_ORIGINS", "")
CSRF_FAILURE_VIEW = "arena.errors.csrf_failure"

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
    "arena.middleware.Outermost",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "arena.gates.WorkerGate",
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
                "django.template.context_processors.i18n",
                "arena.votes.appearance.appearance",
            ],
        },
    },
]

DATABASES = {"default": environment.database("DATABASE_URL", f"sqlite:///{HOME / 'arena.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # IMMEDIATE takes the write lock at once, so two writers wait instead of failing half-way.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    # A server that hangs must end in a 503 page, not in a page that never comes.
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
    DATABASES["default"]["CONN_MAX_AGE"] = environment.whole("ARENA_DATABASE_SECONDS", 60)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

VALIDATORS = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{VALIDATORS}.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en"
# Each in its own words, so that nobody has to read another language to find theirs.
LANGUAGES = [("en", "English"), ("ja", "日本語"), ("ko", "한국어")]
LOCALE_PATHS = [BASE_DIR / "arena" / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_SAMESITE = "Lax"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
STATIC_ROOT.mkdir(exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "arena" / "static"]
MEDIA_ROOT = HOME / "media"
# Images are only ever served through views that know who may see what, wherever they lie.
S3_BUCKET = os.environ.get("ARENA_S3_BUCKET", "")
S3_ENDPOINT = os.environ.get("ARENA_S3_ENDPOINT", "")
BUCKET = {
    "BACKEND": "arena.storing.BucketStorage",
    "OPTIONS": {"bucket_name": S3_BUCKET, "endpoint_url": S3_ENDPOINT or None},
}
STORAGES = {
    "default": BUCKET if S3_BUCKET else {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
CACHE_URL = os.environ.get("ARENA_CACHE_URL", "")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CACHE_URL}
    if CACHE_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
WHITENOISE_USE_FINDERS = True

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
# Behind HTTPS: cookies over HTTPS only, plain requests sent on to HTTPS, and browsers told to remember it.
SECURE = environment.boolean("ARENA_SECURE", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SECURE_SSL_REDIRECT = SECURE
SECURE_HSTS_SECONDS = environment.whole("ARENA_HSTS_SECONDS", 31_536_000) if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = environment.boolean("ARENA_HSTS_WHOLE_DOMAIN", True)
# Probes inside the machine speak plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
# A proxy in front that overwrites these headers may say how the request came, and what its id is.
BEHIND_PROXY = environment.boolean("ARENA_BEHIND_PROXY", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
# Nobody uploads files: a body is a form or a small JSON object.
DATA_UPLOAD_MAX_MEMORY_SIZE = environment.whole("ARENA_MAX_BODY_BYTES", 1_000_000, least=1000)
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
DATA_UPLOAD_MAX_NUMBER_FILES = 10

# The embedded queue is one SQLite file and needs exactly one worker; Redis or RabbitMQ take any number.
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", f"sqla+sqlite:///{HOME / 'queue.sqlite3'}")
CELERY_TASK_DEFAULT_QUEUE = os.environ.get("ARENA_QUEUE", "arena")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# Loaded by the worker only, by dotted path, so that the web process stays free of torch.
ARENA_RENDERER = os.environ.get("ARENA_RENDERER", "generation.renderer.Renderer")
ARENA_DEVICE = os.environ.get("ARENA_DEVICE", "cpu")
ARENA_RENDER_THREADS = environment.whole("ARENA_RENDER_THREADS", 1, least=1)
# The arithmetic of UNet and text encoders, and what torch.compile makes of the UNet, if anything; both show in pixels.
ARENA_DTYPE = environment.choice("ARENA_DTYPE", "float32", ("float32", "bfloat16", "float16"))
ARENA_COMPILE = os.environ.get("ARENA_COMPILE", "")
# Memory for the weights of several checkpoints, in RAM and on the device, and how long an evaluation may wait for the
# loaded one of another.
ARENA_WEIGHTS_GB = environment.number("ARENA_WEIGHTS_GB", 8)
ARENA_DEVICE_WEIGHTS_GB = environment.number("ARENA_DEVICE_WEIGHTS_GB", 0)
ARENA_SWAP_AGE_SECONDS = environment.number("ARENA_SWAP_AGE_SECONDS", 5)
# The same for the encoder that measures how near images come to their characters; none set, nothing is measured. Its
# folder is the project's own small one, or that of a published CCIP encoder.
ARENA_ENCODER = os.environ.get("ARENA_ENCODER", "rating.ccip.CCIPEncoder")
ARENA_ENCODER_FOLDER = os.environ.get("ARENA_ENCODER_FOLDER", "")
ARENA_API_TOKEN = os.environ.get("ARENA_API_TOKEN") or local_secret("api-token")
# Requests with one token, and wrong tokens from one address, in a minute; 0 is no limit.
ARENA_API_REQUESTS_PER_MINUTE = environment.whole("ARENA_API_REQUESTS_PER_MINUTE", 600)
# What exported votes may be used for, such as "CC BY 4.0": the data card says it.
ARENA_VOTES_LICENCE = os.environ.get("ARENA_VOTES_LICENCE", "")
# How many times a served image is enlarged: the demo's 64 px images are shown at 256 px.
ARENA_BLIND_SCALE = environment.whole("ARENA_BLIND_SCALE", 4, least=1)
# A matchup can be answered this long after it was first shown.
ARENA_TICKET_HOURS = environment.number("ARENA_TICKET_HOURS", 24)
# Answers of one voter, and matchups asked for from one address, in a minute; 0 is no limit.
ARENA_VOTES_PER_MINUTE = environment.whole("ARENA_VOTES_PER_MINUTE", 60)
ARENA_TICKETS_PER_MINUTE = environment.whole("ARENA_TICKETS_PER_MINUTE", 300)
# Screening of people's votes: an answer sooner than this was not looked at; more than this many in a minute wait for a
# second look; 0 switches either off.
ARENA_MIN_ANSWER_MS = environment.whole("ARENA_MIN_ANSWER_MS", 300)
ARENA_SCREEN_VOTES_PER_MINUTE = environment.whole("ARENA_SCREEN_VOTES_PER_MINUTE", 40)
# Flags that hide an image until an admin decides; flags, and typed prompts, of one voter in 24 hours.
ARENA_FLAGS_TO_HIDE = environment.whole("ARENA_FLAGS_TO_HIDE", 1, least=1)
ARENA_FLAGS_A_DAY = environment.whole("ARENA_FLAGS_A_DAY", 20)
ARENA_PROMPTS_A_DAY = environment.whole("ARENA_PROMPTS_A_DAY", 50)
# Public pages keep back the images of a matchup that was handed out this lately and is not answered.
ARENA_WITHHOLD_MINUTES = environment.whole("ARENA_WITHHOLD_MINUTES", 30)
# Tags that no typed prompt may hold, whatever its poll, one a line; each poll has a list of its own beside it.
ARENA_BANNED_TAGS_FILE = Path(
    os.environ.get("ARENA_BANNED_TAGS_FILE") or BASE_DIR / "arena" / "votes" / "banned_tags.txt"
)
ARENA_FREE_PROMPT_BUDGET_SECONDS = environment.whole("ARENA_FREE_PROMPT_BUDGET_SECONDS", 120, least=1)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "arena.middleware.RequestIdFilter"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s [%(request_id)s] %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]}},
    "root": {"handlers": ["console"], "level": os.environ.get("ARENA_LOG_LEVEL", "WARNING")},
}
