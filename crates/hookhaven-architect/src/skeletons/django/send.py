"""How the tests reach the app: through Django's own client."""

import os
from collections import namedtuple

import django
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.test import Client  # noqa: E402

Answered = namedtuple("Answered", "status text headers")


def send(source: str, headers: dict[str, str], raw: bytes) -> Answered:
    try:
        client = Client(SERVER_NAME="127.0.0.1")
        response = client.generic("POST", f"/webhooks/{source}", raw, headers.get("content-type"), headers=headers)
        return Answered(response.status_code, response.content.decode(), response.headers)
    finally:
        # Each thread of a test has a connection of its own.
        connections.close_all()


def close() -> None:
    connections.close_all()
