"""`python manage.py outbox`: performs the effects outside, until SIGTERM. With `--once` what is due, and ends."""

import signal
import threading
from contextlib import contextmanager

from django.core.management.base import BaseCommand
from django.db import close_old_connections

from webhooks import outbox, views


@contextmanager
def begin():
    # Between requests Django does this by itself. Here a connection that the database closed would stay.
    close_old_connections()
    with views.begin() as tx:
        yield tx


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("--once", action="store_true", help="perform what is due, and end")

    def handle(self, *args, once: bool, **options):
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        perform = outbox.drain if once else outbox.run
        perform(begin, stop)
