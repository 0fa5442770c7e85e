"""What the checks stand on: named checks, a destination of their own on loopback, bounded waits, and one face for the
blocking and the asynchronous client.

Not here: what is checked. Nothing waits for time to pass: a wait ends with a request that arrives or with an answer of
the API, and fails when PATIENCE_S is over.
"""

import asyncio
import contextlib
import inspect
import io
import threading
import time
import traceback
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

from qstash.errors import QStashError
from qstash.log import LogState

PATIENCE_S = 20
POLL_S = 0.02

CHECKS = []


def check(name):
    """Registers a check; it gets the client."""

    def register(run):
        CHECKS.append((name, run))
        return run

    return register


def run_all(clients):
    """Runs every check with every client, prints a line each; whether all held."""
    passed = failed = 0
    for kind, bare in clients:
        client = Blocking(bare)

        def none_left_out(_client, left=client.left):
            assert not left, left

        for name, run in [*CHECKS, ("no method of the client was left out", none_left_out)]:
            try:
                run(client)
            except Exception:  # a check may fail in any way; its trace says how
                failed += 1
                print(f"FAILED  {name} ({kind})\n{traceback.format_exc()}")
            else:
                passed += 1
                print(f"ok      {name} ({kind})")
    print(f"{passed} checks passed, {failed} failed")
    return passed > 0 and failed == 0


class Blocking:
    """Either client with the blocking one's face, so that both pass the same checks. `left` are the methods that nobody
    has called yet."""

    def __init__(self, client):
        runner = asyncio.Runner()
        parts = {name: api for name, api in vars(client).items() if name != "http"}
        self.left = set()
        for part, api in parts.items():
            names = [name for name, _ in inspect.getmembers(api, inspect.ismethod) if not name.startswith("_")]
            self.left |= {f"{part}.{name}" for name in names}
            calls = {name: self._blocking(f"{part}.{name}", getattr(api, name), runner) for name in names}
            setattr(self, part, SimpleNamespace(**calls))

    def _blocking(self, called, method, runner):
        def call(*args, **kwargs):
            self.left.discard(called)
            result = method(*args, **kwargs)
            return runner.run(result) if inspect.iscoroutine(result) else result

        return call


def refused(call, *args, **kwargs):
    """What the other side says to a call that must be refused."""
    try:
        accepted = call(*args, **kwargs)
    except QStashError as error:
        return str(error)
    raise AssertionError(f"it was accepted: {accepted}")


def assert_status(status, call, *args, **kwargs):
    said = refused(call, *args, **kwargs)
    assert f"status: {status}" in said, said


def until(what, ask):
    """Asks again and again until there is something; that."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(POLL_S)


def logs(client, **options):
    """The blocking client prints what it got."""
    with contextlib.redirect_stdout(io.StringIO()):
        return client.log.list(**options)


def ended(client, message_id):
    """Waits until a message has ended; the states it went through, in order."""
    last = {LogState.DELIVERED, LogState.FAILED, LogState.CANCELED}

    def ask():
        states = [entry.state for entry in logs(client, filter={"message_id": message_id}).logs]
        return [state.value for state in reversed(states)] if last & set(states) else None

    return until(f"the end of {message_id}", ask)


@dataclass
class Received:
    method: str
    target: str
    headers: object
    body: bytes

    @property
    def text(self):
        return self.body.decode()


class Spot:
    """A URL that is nobody else's. `answer` is a status, or a function of the request's number (from 1) that gives
    one, or (status, headers, body)."""

    _all = {}

    def __init__(self, answer=200):
        self.answer = answer
        self.received = []
        self.changed = threading.Condition()
        self.path = f"/s{len(self._all) + 1}"
        self.url = ORIGIN + self.path
        self._all[self.path] = self

    def take(self, received):
        with self.changed:
            self.received.append(received)
            number = len(self.received)
            self.changed.notify_all()
        said = self.answer(number) if callable(self.answer) else self.answer
        return said if isinstance(said, tuple) else (said, {}, b"")

    def nth(self, number):
        """The `number`th request (from 1), as soon as it is there."""
        with self.changed:
            come = self.changed.wait_for(lambda: len(self.received) >= number, PATIENCE_S)
        assert come, f"waited in vain for request {number} to {self.url}"
        return self.received[number - 1]

    def first(self):
        return self.nth(1)


class _Destination(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        name = "/" + self.path.split("?")[0].split("/")[1]
        received = Received(self.command, self.path, self.headers, body)
        status, headers, text = Spot._all[name].take(received)
        self.send_response(status)
        for header, value in {**headers, "content-length": str(len(text))}.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def log_message(self, *_):
        """Says nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True


_server = _Server(("127.0.0.1", 0), _Destination)
threading.Thread(target=_server.serve_forever, daemon=True).start()
ORIGIN = f"http://127.0.0.1:{_server.server_address[1]}"
