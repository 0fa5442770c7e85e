"""Settings of a project that does nothing but take webhooks.

In a project of yours: add "webhooks" to its apps, its URL, the limit of bodies, and the options of the database.
"""

import os
import sys
from urllib.parse import parse_qsl, unquote, urlsplit

from handlers import BODY_BYTES_MAX

# Nothing here signs cookies, but Django wants one; a random one at each start serves.
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or os.urandom(32).hex()
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "127.0.0.1,localhost").split(",")
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
INSTALLED_APPS = ["webhooks"]
MIDDLEWARE = []
USE_TZ = True
TIME_ZONE = "UTC"

# Else Django refuses bodies above 2.5 MB.
DATA_UPLOAD_MAX_MEMORY_SIZE = BODY_BYTES_MAX

_url = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(_url.path.lstrip("/")),
        "USER": unquote(_url.username or ""),
        "PASSWORD": unquote(_url.password or ""),
        "HOST": _url.hostname or "",
        "PORT": str(_url.port or ""),
        "CONN_MAX_AGE": 60,
        # Connections that the database closed meanwhile are replaced.
        "CONN_HEALTH_CHECKS": True,
        # Who waits for the database gives up before the gateway does. The URL's own options stand: `?sslmode=require`.
        "OPTIONS": {"connect_timeout": 5, **dict(parse_qsl(_url.query))},
    }
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "plain"}},
    "loggers": {
        "webhooks": {"handlers": ["stderr"], "level": "INFO"},
        # What Django refuses by itself: a host that is not among ALLOWED_HOSTS, a body that is too large.
        "django": {"handlers": ["stderr"], "level": "ERROR"},
    },
}
