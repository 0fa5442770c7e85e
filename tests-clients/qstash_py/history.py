"""Messages afterwards: got, cancelled, logged, dead."""

from qstash.log import LogState

from .harness import Spot, assert_status, check, ended, logs
from .publishing import FAR, unique


@check("message: get, cancel, cancel_many, cancel_all")
def _(client):
    first, *more = (client.message.publish(**FAR).message_id for _ in range(6))
    assert client.message.get(first).message_id == first
    client.message.cancel(first)
    assert_status(404, client.message.cancel, first)
    assert ended(client, first) == ["CREATED", "CANCEL_REQUESTED", "CANCELED"]
    assert client.message.cancel_many([first, *more[:2], "msg_unknown"]) == 2
    assert client.message.cancel_many(more[:2]) == 0
    assert client.message.cancel_many([]) == 0, "nothing is named, so nothing is cancelled"
    assert client.message.cancel_all() == 3
    assert client.message.cancel_all() == 0
    assert_status(404, client.message.get, "msg_unknown")


@check("log: filters and cursors")
def _(client):
    place, label, queue, group = Spot(), unique("py-log"), unique("py-queue"), unique("py-group")
    plain = client.message.publish(url=f"{place.url}/x", label=label).message_id
    queued = client.message.enqueue(queue=queue, url=place.url).message_id
    client.url_group.upsert_endpoints(group, [{"url": place.url}])
    [grouped] = client.message.publish(url_group=group)
    for message_id in (plain, queued, grouped.message_id):
        ended(client, message_id)

    def found(**filter):
        return {entry.message_id for entry in logs(client, filter=filter).logs}

    assert found(message_id=plain) == {plain}
    assert found(message_ids=[plain, queued]) == {plain, queued}
    assert found(url=f"{place.url}/x") == {plain}
    assert found(label=label) == {plain}
    assert found(queue=queue) == {queued}
    assert found(url_group=group) == {grouped.message_id}
    assert found(label=label, state=LogState.DELIVERED) == {plain}
    assert found(label=label, state=LogState.FAILED) == set()
    assert found(label=label, from_time=946_684_800_000, to_time=4_070_908_800_000) == {plain}
    assert found(label=label, to_time=946_684_800_000) == set()
    assert found(schedule_id="no") == set()

    seen, cursor = [], None
    while True:
        page = logs(client, cursor=cursor, count=2, filter={"label": label})
        assert len(page.logs) <= 2
        seen += [entry.state for entry in page.logs]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [LogState.DELIVERED, LogState.ACTIVE, LogState.CREATED]
    client.url_group.delete(group)
    client.queue.delete(queue)


@check("dlq: get, list, filters, cursors, delete, delete_many")
def _(client):
    label, place = unique("py-dead"), Spot((418, {"X-Why": "tea"}, b"\xff"))
    ids = [client.message.publish(url=place.url, retries=0, label=label, body="b").message_id for _ in range(5)]
    for message_id in ids:
        assert ended(client, message_id) == ["CREATED", "ACTIVE", "ERROR", "FAILED"]

    def found(**filter):
        return [dead.message_id for dead in client.dlq.list(filter=filter).messages]

    everything = found(label=label)
    assert sorted(everything) == sorted(ids)
    assert found(message_id=ids[2]) == [ids[2]]
    assert found(url=place.url) == everything
    assert found(label=label, response_status=418, caller_ip="127.0.0.1") == everything
    assert found(label=label, response_status=500) == []
    assert found(label=label, from_time=946_684_800_000, to_time=4_070_908_800_000) == everything
    assert found(queue="no") == found(url_group="no") == found(schedule_id="no") == []

    dead, cursor = [], None
    while True:
        page = client.dlq.list(cursor=cursor, count=2, filter={"label": label})
        dead += page.messages
        cursor = page.cursor
        if cursor is None:
            break
    assert [message.message_id for message in dead] == everything
    one = client.dlq.get(dead[0].dlq_id)
    assert (one.dlq_id, one.response_status, one.response_body) == (dead[0].dlq_id, 418, None)
    assert (one.response_body_base64, one.response_headers["X-Why"], one.body) == ("/w==", ["tea"], "b")
    client.dlq.delete(dead[0].dlq_id)
    assert_status(404, client.dlq.delete, dead[0].dlq_id)
    assert_status(404, client.dlq.get, dead[0].dlq_id)
    assert client.dlq.delete_many([message.dlq_id for message in dead]) == 4
    assert client.dlq.delete_many([dead[0].dlq_id]) == 0
    assert found(label=label) == []


@check("dlq: without an answer the status is 0")
def _(client):
    made = client.message.publish(url="http://127.0.0.1:1/", retries=0)
    ended(client, made.message_id)
    [dead] = client.dlq.list(filter={"message_id": made.message_id}).messages
    assert dead.response_status == 0 and dead.response_body
    client.dlq.delete(dead.dlq_id)
