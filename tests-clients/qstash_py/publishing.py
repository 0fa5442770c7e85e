"""Publishing: every way to send and every setting of it; what the message says, what arrives."""

import base64
import hashlib
import json
import time

from qstash.chat import custom

from .harness import Spot, assert_status, check, ended, logs

FAR = {"url": "https://example.com/far", "delay": "1d"}


def unique(name):
    """The checks run once for each client, and what is deduplicated must not meet."""
    return f"{name}-{time.monotonic_ns()}"


@check("publish: body, method, headers and address arrive verbatim")
def _(client):
    place = Spot()
    made = client.message.publish(
        url=f"{place.url}/a//b?x=1&y=b%20c",
        body="grüße".encode(),
        content_type="text/plain",
        method="PUT",
        headers={"test-header": "test-value", "Upstash-Forward-Own": "mine"},
    )
    assert made.message_id.startswith("msg_") and made.deduplicated is False
    got = place.first()
    assert (got.method, got.target, got.text) == ("PUT", f"{place.path}/a//b?x=1&y=b%20c", "grüße")
    assert got.headers["content-type"] == "text/plain"
    assert (got.headers["test-header"], got.headers["own"]) == ("test-value", "mine")
    assert got.headers["upstash-message-id"] == made.message_id
    assert (got.headers["upstash-retried"], got.headers["user-agent"]) == ("0", "Upstash-QStash")
    assert got.headers["authorization"] is None
    assert ended(client, made.message_id) == ["CREATED", "ACTIVE", "DELIVERED"]


@check("publish_json: JSON; without a body, null")
def _(client):
    place = Spot()
    client.message.publish_json(url=place.url, body={"a": [1, "ü"]})
    got = place.first()
    assert json.loads(got.text) == {"a": [1, "ü"]}
    assert (got.method, got.headers["content-type"]) == ("POST", "application/json")
    client.message.publish_json(url=place.url)
    assert place.nth(2).text == "null"


@check("publish: bytes that are no text; nothing at all")
def _(client):
    place = Spot()
    body = bytes([0, 255, 128, 10])
    made = client.message.publish(url=place.url, body=body)
    assert place.first().body == body
    message = client.message.get(made.message_id)
    assert (message.body, message.body_base64) == (None, base64.b64encode(body).decode())
    empty = client.message.publish(url=place.url)
    assert place.nth(2).body == b""
    assert client.message.get(empty.message_id).body is None


@check("publish: every setting is shown as it was given")
def _(client):
    made = client.message.publish_json(
        url="https://example.com/all?x=1",
        body={"a": 1},
        method="PATCH",
        headers={"test-header": "test-value"},
        callback_headers={"Upstash-Callback-Forward-X-Back": "b"},
        failure_callback_headers={"Upstash-Failure-Callback-Forward-X-Fail": "f"},
        retries=0,
        retry_delay="1000 * (1 + retried)",
        callback="https://example.com/callback",
        failure_callback="https://example.com/failure",
        delay=3600,
        timeout=30,
        flow_control={"key": unique("py-key"), "parallelism": 3, "rate": 4, "period": 2},
        label="py-label",
        deduplication_id=unique("py-all"),
        content_based_deduplication=False,
    )
    message = client.message.get(made.message_id)
    assert message.url == "https://example.com/all?x=1"
    assert (message.body, message.method, message.max_retries) == ('{"a": 1}', "PATCH", 0)
    assert message.headers == {"Content-Type": ["application/json"], "Test-Header": ["test-value"]}
    assert message.callback_headers == {"X-Back": ["b"]}
    assert message.failure_callback_headers == {"X-Fail": ["f"]}
    assert message.callback == "https://example.com/callback"
    assert message.failure_callback == "https://example.com/failure"
    assert message.retry_delay_expression == "1000 * (1 + retried)"
    assert message.not_before - message.created_at == 3_600_000
    flow = message.flow_control
    assert (flow.parallelism, flow.rate, flow.period) == (3, 4, 2)
    assert (message.label, message.caller_ip) == ("py-label", "127.0.0.1")
    assert (message.queue, message.url_group, message.endpoint, message.schedule_id) == (None,) * 4
    [entry] = logs(client, filter={"message_id": made.message_id}).logs
    assert entry.state.value == "CREATED"
    assert (entry.retry_delay_expression, entry.timeout) == ("1000 * (1 + retried)", 30_000)
    assert (entry.callback_headers, entry.max_retries, entry.method) == ({"X-Back": ["b"]}, 0, "PATCH")
    assert base64.b64decode(entry.body_base64) == b'{"a": 1}'
    client.message.cancel(made.message_id)


@check("publish: only parallelism, and the period is there all the same")
def _(client):
    made = client.message.publish(**FAR, flow_control={"key": unique("py-half"), "parallelism": 3})
    flow = client.message.get(made.message_id).flow_control
    assert (flow.parallelism, flow.rate, flow.period) == (3, None, 1)
    client.message.cancel(made.message_id)


@check("publish: delays and times")
def _(client):
    for delay, ms in [(50, 50_000), ("1h30m3s", 5_403_000)]:
        made = client.message.publish(url="https://example.com/", delay=delay)
        message = client.message.get(made.message_id)
        assert message.not_before - message.created_at == ms
        client.message.cancel(made.message_id)
    at = int(time.time()) + 1_000
    made = client.message.publish(url="https://example.com/", not_before=at)
    assert client.message.get(made.message_id).not_before == at * 1000
    client.message.cancel(made.message_id)
    place = Spot()
    client.message.publish(url=place.url, not_before=at - 100_000)
    place.first()
    assert_status(400, client.message.publish, url="https://example.com/", delay="15")


@check("publish: retries with their own delay, then dead")
def _(client):
    place = Spot(lambda number: (500 + number, {"X-Try": str(number)}, b"no"))
    made = client.message.publish(url=place.url, retries=1, retry_delay="1 + retried")
    once = ["ACTIVE", "ERROR"]
    assert ended(client, made.message_id) == ["CREATED", *once, "RETRY", *once, "FAILED"]
    assert [got.headers["upstash-retried"] for got in place.received] == ["0", "1"]
    [failed, _, retry, error, *_] = logs(client, filter={"message_id": made.message_id}).logs
    assert (failed.state.value, retry.state.value, error.state.value) == ("FAILED", "ACTIVE", "RETRY")
    assert error.next_delivery_time is not None
    assert_status(400, client.message.publish, url=place.url, retry_delay="pow(")


@check("publish: deduplicated by id and by content, as the client spells it")
def _(client):
    place = Spot()
    name = unique("py-dedupe")
    first = client.message.publish(url=place.url, body="a", deduplication_id=name)
    again = client.message.publish(url=place.url, body="b", deduplication_id=name)
    assert (again.message_id, again.deduplicated) == (first.message_id, True)
    same = [client.message.publish(url=place.url, body=name, content_based_deduplication=True) for _ in range(2)]
    assert [made.deduplicated for made in same] == [False, True]
    assert same[0].message_id == same[1].message_id
    off = client.message.publish(url=place.url, body=name, content_based_deduplication=False)
    assert off.deduplicated is False


@check("publish: redacted")
def _(client):
    made = client.message.publish(
        **FAR, body="the-secret", headers={"X-Secret": "hunter2", "X-Open": "o"}, redact={"body": True, "header": ["X-Secret"]}
    )
    message = client.message.get(made.message_id)
    assert message.body == "REDACTED:" + hashlib.sha256(b"the-secret").hexdigest()
    assert "hunter2" not in str(message) and message.headers["X-Open"] == ["o"]
    assert "hunter2" not in str(logs(client, filter={"message_id": made.message_id}))
    client.message.cancel(made.message_id)
    made = client.message.publish(**FAR, headers={"X-Secret": "hunter2"}, redact={"header": True})
    assert "hunter2" not in str(client.message.get(made.message_id))
    client.message.cancel(made.message_id)


@check("publish: callback and failure callback, with headers of their own")
def _(client):
    place, back, failure = Spot((503, {}, b"down")), Spot(), Spot()
    made = client.message.publish(
        url=place.url,
        body="x",
        retries=0,
        callback=back.url,
        failure_callback=failure.url,
        callback_headers={"Upstash-Callback-Forward-X-Back": "b"},
        failure_callback_headers={"Upstash-Failure-Callback-Method": "PUT"},
    )
    said = json.loads(back.first().body)
    assert (said["status"], said["sourceMessageId"], said["url"]) == (503, made.message_id, place.url)
    assert base64.b64decode(said["body"]) == b"down" and base64.b64decode(said["sourceBody"]) == b"x"
    assert back.first().headers["x-back"] == "b"
    got = failure.first()
    dead = client.dlq.get(json.loads(got.body)["dlqId"])
    assert (got.method, dead.message_id, dead.response_body) == ("PUT", made.message_id, "down")


@check("publish: to a model's provider, an ordinary destination")
def _(client):
    place = Spot()
    api = {"name": "llm", "provider": custom(place.url, "the-provider-token")}
    client.message.publish_json(api=api, body={"model": "m"})
    got = place.first()
    assert got.target == f"{place.path}/v1/chat/completions"
    assert got.headers["authorization"] == "Bearer the-provider-token"


@check("publish: a group gives one message an endpoint")
def _(client):
    a, b = Spot(), Spot()
    name = unique("py-group")
    client.url_group.upsert_endpoints(name, [{"url": a.url, "name": "a"}, {"url": b.url}])
    made = client.message.publish(url_group=name, body="x")
    assert [answer.url for answer in made] == [a.url, b.url]
    assert a.first().headers["upstash-topic-name"] == name
    first, second = (client.message.get(answer.message_id) for answer in made)
    assert (first.url_group, first.endpoint, second.endpoint) == (name, "a", None)
    assert len(client.message.publish_json(url_group=name, body=1)) == 2
    client.url_group.delete(name)
    assert_status(400, client.message.publish, url_group=name)


@check("batch, batch_json: one answer an entry, groups nested, queues honoured")
def _(client):
    a, b = Spot(), Spot()
    group, queue = unique("py-batch"), unique("py-batch-queue")
    client.url_group.upsert_endpoints(group, [{"url": a.url}, {"url": b.url}])
    made = client.message.batch(
        [
            {"url": a.url, "body": "one", "headers": {"X-Entry": "1"}, "retries": 0, "label": "py-batched"},
            {"url_group": group, "body": "two"},
            {"url": b.url, "queue": queue},
        ]
    )
    assert [answer.url for answer in made[1]] == [a.url, b.url]
    one = client.message.get(made[0].message_id)
    assert (one.body, one.headers["X-Entry"], one.max_retries, one.label) == ("one", ["1"], 0, "py-batched")
    assert client.message.get(made[2].message_id).queue == queue
    [only] = client.message.batch_json([{"url": a.url, "body": {"a": 1}}])
    message = client.message.get(only.message_id)
    assert (message.body, message.headers) == ('{"a": 1}', {"Content-Type": ["application/json"]})
    bad = [{"url": "https://example.com/never"}, {"url": "ftp://x"}]
    assert_status(400, client.message.batch, bad)
    client.url_group.delete(group)
    client.queue.delete(queue)


@check("enqueue, enqueue_json: on a queue that it makes")
def _(client):
    place = Spot()
    queue = unique("py-queue")
    made = client.message.enqueue(queue=queue, url=place.url, body="raw", method="PUT", headers={"X-A": "1"}, label="py-q")
    client.message.enqueue_json(queue=queue, url=place.url, body={"b": 2}, retries=1, timeout=5)
    assert (place.first().text, place.first().method) == ("raw", "PUT")
    assert json.loads(place.nth(2).text) == {"b": 2}
    message = client.message.get(made.message_id)
    assert (message.queue, message.label) == (queue, "py-q")
    group = unique("py-queued")
    client.url_group.upsert_endpoints(group, [{"url": place.url}])
    [answer] = client.message.enqueue(queue=queue, url_group=group, deduplication_id=unique("py-q"))
    assert answer.url == place.url
    client.url_group.delete(group)
    client.queue.delete(queue)
