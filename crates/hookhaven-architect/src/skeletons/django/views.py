"""The Django side: raw bytes in, an answer out."""

import os
from contextlib import contextmanager

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from webhooks.receive import read_secrets, receive

secrets = read_secrets(os.environ)


@contextmanager
def begin():
    # `durable`: inside another transaction the answer would leave before the commit, so that is an error.
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        yield cursor


# The signature stands in for CSRF protection; it is over the bytes as they came, so nothing may have read
# `request.POST` before.
@csrf_exempt
@require_POST
def webhook(request: HttpRequest, source: str) -> HttpResponse:
    headers = {name.lower(): value for name, value in request.headers.items()}
    answer = receive(begin, secrets, source, headers, request.body)
    return HttpResponse(answer.text, status=answer.status, headers=answer.headers, content_type=answer.content_type)
