"""`python manage.py outbox`: performs the effects outside, until SIGTERM. With `--once` what is due, and ends."""

import signal
import threading

from django.core.management.base import BaseCommand

from webhooks import outbox
from webhooks.views import begin


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser):
        parser.add_argument("--once", action="store_true", help="perform what is due, and end")

    def handle(self, *args, once: bool, **options):
        if once:
            outbox.drain(begin)
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        outbox.run(begin, stop)
