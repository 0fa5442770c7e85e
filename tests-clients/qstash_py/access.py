"""Who may do what; signatures and their keys. Last, for it rotates the keys."""

import os

from qstash import QStash, Receiver
from qstash.errors import QStashError, SignatureError

from .harness import Spot, assert_status, check


def delivered(client, body="a body"):
    """Publishes to a place of its own; what a receiver needs of what came."""
    place = Spot()
    client.message.publish(url=f"{place.url}/signed?x=1", body=body)
    got = place.first()
    return {"signature": got.headers["upstash-signature"], "body": got.text, "url": f"{place.url}/signed?x=1"}


def refuses(receiver, request):
    try:
        receiver.verify(**request)
    except SignatureError:
        return True
    return False


@check("errors: a wrong token, a token that only reads")
def _(_client):
    stranger = QStash("not-the-token", retry=False)
    assert_status(401, stranger.message.publish, url="https://example.com/")
    assert_status(401, stranger.schedule.list)
    reader = QStash(os.environ["READ_TOKEN"], retry=False)
    reader.schedule.list()
    assert_status(403, reader.message.publish, url="https://example.com/")
    assert_status(403, reader.message.cancel_all)


@check("errors: what is no destination, what is too large")
def _(client):
    for url in ["ftp://example.com", "https%3A%2F%2Fexample.com", "http://169.254.169.254/latest"]:
        assert_status(400, client.message.publish, url=url)
    try:
        client.message.publish(url="https://example.com/", body=b"x" * (3 << 20))
    except QStashError as error:
        assert "quota maxMessageSize exceeded" in str(error), error
    else:
        raise AssertionError("it was accepted")


@check("Receiver: takes what was delivered, and nothing that was changed")
def _(client):
    keys = client.signing_key.get()
    receiver = Receiver(keys.current, keys.next)
    for body in ["a body", "grüße".encode(), ""]:
        receiver.verify(**delivered(client, body))
    good = delivered(client)
    for change in [{"body": "another"}, {"url": "https://example.com/"}, {"signature": "no.thing.atall"}]:
        assert refuses(receiver, {**good, **change}), change
    assert refuses(Receiver(f"sig_{'a' * 28}", f"sig_{'b' * 28}"), good)


@check("signing_key: get and rotate; receivers with the old pair still verify")
def _(client):
    old = client.signing_key.get()
    rotated = client.signing_key.rotate()
    assert (rotated.current, client.signing_key.get()) == (old.next, rotated)
    assert rotated.next not in (old.current, old.next)
    Receiver(old.current, old.next).verify(**delivered(client))
    client.signing_key.rotate()
    late = delivered(client)
    assert refuses(Receiver(old.current, old.next), late)
    Receiver(rotated.current, rotated.next).verify(**late)
