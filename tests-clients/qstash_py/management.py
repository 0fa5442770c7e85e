"""What is made and kept: queues, URL groups, schedules, flow control, signing keys."""

from .harness import Spot, assert_status, check, ended, until
from .publishing import unique

YEARLY = "0 0 1 1 *"


@check("queue: upsert, get, list, pause, resume, delete")
def _(client):
    name = unique("py-queue")
    client.queue.upsert(name, parallelism=2)
    made = client.queue.get(name)
    assert (made.name, made.parallelism, made.lag, made.paused) == (name, 2, 0, False)
    assert made.updated_at >= made.created_at > 1_600_000_000_000
    client.queue.upsert(name, parallelism=3, paused=True)
    assert (client.queue.get(name).parallelism, client.queue.get(name).paused) == (3, True)
    client.queue.resume(name)
    assert client.queue.get(name).paused is False
    client.queue.pause(name)
    assert name in [queue.name for queue in client.queue.list()]
    place = Spot()
    client.message.enqueue(queue=name, url=place.url)
    assert client.queue.get(name).lag == 1
    client.queue.resume(name)
    place.first()
    until("an empty queue", lambda: client.queue.get(name).lag == 0)
    client.queue.delete(name)
    client.queue.delete(name)
    assert_status(404, client.queue.get, name)


@check("url_group: upsert, get, list, remove, delete")
def _(client):
    name = unique("py-group")
    client.url_group.delete(name)
    client.url_group.upsert_endpoints(name, [{"url": "https://a.example.com", "name": "a"}, {"url": "https://b.example.com"}])
    made = client.url_group.get(name)
    assert [(e.name, e.url) for e in made.endpoints] == [("a", "https://a.example.com"), (None, "https://b.example.com")]
    assert name in [group.name for group in client.url_group.list()]
    client.url_group.remove_endpoints(name, [{"name": "a"}])
    assert [e.url for e in client.url_group.get(name).endpoints] == ["https://b.example.com"]
    client.url_group.remove_endpoints(name, [{"url": "https://b.example.com"}])
    assert_status(404, client.url_group.get, name)
    client.url_group.delete(name)


@check("schedule: every option, list, pause, resume, replace, delete")
def _(client):
    queue, key = unique("py-queue"), unique("py-key")
    schedule_id = client.schedule.create_json(
        destination="https://example.com/s?x=1",
        cron=YEARLY,
        body={"a": 1},
        method="PUT",
        headers={"test-header": "test-value"},
        callback_headers={"Upstash-Callback-Forward-X-Back": "b"},
        failure_callback_headers={"Upstash-Failure-Callback-Forward-X-Fail": "f"},
        retries=1,
        retry_delay="1000 * retried",
        callback="https://example.com/callback",
        failure_callback="https://example.com/failure",
        delay="10s",
        timeout=30,
        queue=queue,
        flow_control={"key": key, "parallelism": 2},
        label="py-scheduled",
        redact={"header": ["none"]},
    )
    made = client.schedule.get(schedule_id)
    assert (made.schedule_id, made.destination, made.cron) == (schedule_id, "https://example.com/s?x=1", YEARLY)
    assert (made.body, made.method, made.retries) == ('{"a": 1}', "PUT", 1)
    assert made.headers == {"Content-Type": ["application/json"], "Test-Header": ["test-value"]}
    assert (made.callback_headers, made.failure_callback_headers) == ({"X-Back": ["b"]}, {"X-Fail": ["f"]})
    assert (made.callback, made.failure_callback) == ("https://example.com/callback", "https://example.com/failure")
    assert (made.retry_delay_expression, made.delay, made.timeout) == ("1000 * retried", 10, 30)
    assert (made.queue, made.label, made.caller_ip, made.paused) == (queue, "py-scheduled", "127.0.0.1", False)
    assert (made.flow_control.key, made.flow_control.parallelism, made.flow_control.period) == (key, 2, 1)
    assert made.next_schedule_time > made.created_at
    assert (made.last_schedule_time, made.last_schedule_states, made.error) == (None, None, None)
    assert schedule_id in [schedule.schedule_id for schedule in client.schedule.list()]
    client.schedule.pause(schedule_id)
    assert client.schedule.get(schedule_id).paused is True
    client.schedule.resume(schedule_id)
    assert client.schedule.get(schedule_id).paused is False
    same = client.schedule.create(destination="https://example.com/", cron=YEARLY, schedule_id=schedule_id)
    replaced = client.schedule.get(schedule_id)
    assert (same, replaced.body, replaced.queue) == (schedule_id, None, None)
    assert replaced.created_at == made.created_at
    client.schedule.delete(schedule_id)
    assert_status(404, client.schedule.get, schedule_id)
    assert_status(400, client.schedule.create, destination="https://example.com/", cron="not a cron")


@check("flow_control: get, pause, resume, pin, unpin, reset_rate, all together")
def _(client):
    key, place = unique("py-flow"), Spot()
    made = client.message.publish(url=place.url, flow_control={"key": key, "parallelism": 5, "rate": 10, "period": "1m"})
    ended(client, made.message_id)
    info = client.flow_control.get(key)
    assert (info.key, info.parallelism_max, info.rate_max, info.rate_period) == (key, 5, 10, 60)
    assert (info.rate_count, info.wait_list_size, info.parallelism_count) == (1, 0, 0)
    assert info.rate_period_start > 1_600_000_000
    client.flow_control.reset_rate(key)
    assert client.flow_control.get(key).rate_count == 0
    client.flow_control.pause(key)
    client.message.publish(url=place.url, flow_control={"key": key, "parallelism": 5, "rate": 10, "period": "1m"})
    waiting = client.flow_control.get(key)
    assert (waiting.is_paused, waiting.wait_list_size) == (True, 1)
    client.flow_control.resume(key)
    place.nth(2)
    client.flow_control.pin(key, {"parallelism": 3, "rate": 20, "period": 120})
    pinned = client.flow_control.get(key)
    assert (pinned.parallelism_max, pinned.rate_max, pinned.rate_period) == (3, 20, 120)
    assert (pinned.is_pinned_parallelism, pinned.is_pinned_rate) == (True, True)
    client.flow_control.unpin(key, {"parallelism": True, "rate": False})
    half = client.flow_control.get(key)
    assert (half.is_pinned_parallelism, half.is_pinned_rate, half.parallelism_max) == (False, True, 3)
    assert_status(404, client.flow_control.get, unique("py-unknown"))
    everything = client.flow_control.get_global_parallelism()
    assert everything.parallelism_count >= 0 and everything.parallelism_max >= 0
