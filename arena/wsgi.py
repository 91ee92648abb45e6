"""The WSGI entry point (gunicorn arena.wsgi)."""

import os

from django.core.wsgi import get_wsgi_application

from arena.checks import refuse_wrong_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "arena.settings")
application = get_wsgi_application()
# The exit status by which gunicorn knows that starting again would not help.
refuse_wrong_settings(4)
