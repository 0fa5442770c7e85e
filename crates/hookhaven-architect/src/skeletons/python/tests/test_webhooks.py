"""What must hold of every source, against a database that these tests may write to (DATABASE_URL).

Every run makes names of its own, so rows of others do not matter; no outbox may run on it meanwhile.
"""

import os
import unittest
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import psycopg
from standardwebhooks import Webhook

from handlers import SOURCES
from tests.samples import SAMPLES, Sample

# Set before the app is imported: it reads its secrets when it starts. Two, as during a rotation.
CURRENT, PREVIOUS = "whsec_Y3VycmVudC1vZi10aGUtdGVzdHM=", "whsec_cHJldmlvdXMtb2YtdGhlLXRlc3Rz"
os.environ.update({source.secret_variable: f"{CURRENT} {PREVIOUS}" for source in SOURCES.values()})

from tests.send import close, send  # noqa: E402

# Those whose handlers keep the newest state.
KEPT = [sample for sample in SAMPLES if sample.keeps]


@dataclass
class Fresh:
    """An event that nobody has seen."""

    id: str = field(default_factory=lambda: f"evt_{uuid.uuid4()}")
    object: str = field(default_factory=lambda: f"obj_{uuid.uuid4()}")
    at: str = "2026-01-01T00:00:00Z"


def post(sample: Sample, event: Fresh, *, secret: str = CURRENT, raw: bytes | None = None, **headers: str):
    """Posts an event of the sample as the gateway would."""
    raw = sample.body.replace("OBJECT", event.object).encode() if raw is None else raw
    now = datetime.now(tz=timezone.utc)
    signed = {
        "content-type": "application/json",
        "webhook-id": event.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(event.id, now, raw.decode()),
        "hookhaven-source": sample.source,
        "hookhaven-event-type": sample.type,
        "hookhaven-attempt": "1",
        "hookhaven-received-at": event.at,
        "hookhaven-occurred-at": event.at,
    }
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return send(sample.source, {**signed, **more}, raw)


def outcome(answered) -> tuple[int, str | None]:
    return answered.status, answered.headers.get("webhook-outcome")


class Webhooks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if "DATABASE_URL" not in os.environ:
            raise RuntimeError("DATABASE_URL names a PostgreSQL that these tests may write to")
        cls.database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
        cls.database.execute(Path(__file__).parent.with_name("schema.sql").read_text())

    @classmethod
    def tearDownClass(cls):
        close()
        cls.database.close()

    def effects(self, sample: Sample, event: Fresh) -> list[str]:
        query = "SELECT effect FROM webhook_outbox WHERE starts_with(idempotency_key, %s) ORDER BY id"
        return [effect for (effect,) in self.database.execute(query, [f"{sample.source}:{event.id}:"])]

    def state(self, sample: Sample, event: Fresh) -> list[str]:
        query = "SELECT webhook_id FROM webhook_state WHERE source = %s AND object_id = %s"
        return [webhook_id for (webhook_id,) in self.database.execute(query, [sample.source, event.object])]

    def in_inbox(self, event: Fresh) -> int:
        query = "SELECT count(*) FROM webhook_inbox WHERE webhook_id = %s"
        return self.database.execute(query, [event.id]).fetchone()[0]

    def test_an_event_that_comes_again_is_done_once(self):
        for sample in SAMPLES:
            with self.subTest(source=sample.source, type=sample.type):
                event = Fresh()
                first = post(sample, event)
                self.assertEqual(outcome(first), (200, "handled"))
                again = post(sample, event, hookhaven_attempt="2", hookhaven_replay="dlv_1")
                self.assertEqual(outcome(again), (200, "duplicate"))
                self.assertEqual(self.effects(sample, event), sample.effects)

    def test_an_event_that_comes_five_times_at_once_is_done_once(self):
        for sample in SAMPLES:
            with self.subTest(source=sample.source, type=sample.type):
                event = Fresh()
                with ThreadPoolExecutor(5) as threads:
                    answers = list(threads.map(lambda _: post(sample, event), range(5)))
                expected = [(200, "duplicate")] * 4 + [(200, "handled")]
                self.assertEqual(sorted(outcome(answer) for answer in answers), expected)
                self.assertEqual(self.effects(sample, event), sample.effects)

    def test_what_comes_late_does_not_replace_what_is_newer(self):
        for sample in KEPT:
            with self.subTest(source=sample.source, type=sample.type):
                newer = Fresh(at="2026-01-01T00:00:02.5Z")
                older = Fresh(at="2026-01-01T00:00:01Z", object=newer.object)
                post(sample, newer)
                self.assertEqual(post(sample, older).status, 200, "it is handled: there is nothing to try again")
                self.assertEqual(self.state(sample, newer), [newer.id])

    def test_a_clock_that_is_ahead_keeps_nothing_out_for_long(self):
        for sample in KEPT:
            with self.subTest(source=sample.source, type=sample.type):
                ahead = Fresh()
                later = Fresh(at="2026-01-01T00:02:00Z", object=ahead.object)
                post(sample, ahead, hookhaven_occurred_at="2999-01-01T00:00:00Z")
                post(sample, later)
                self.assertEqual(self.state(sample, later), [later.id])

    def test_an_effect_that_follows_the_state_waits_for_the_newest_alone(self):
        query = "SELECT idempotency_key FROM webhook_outbox WHERE follows = %s AND done_at IS NULL ORDER BY id"
        for sample in KEPT:
            with self.subTest(source=sample.source, type=sample.type):
                older = Fresh()
                newer = Fresh(at="2026-01-01T00:00:01Z", object=older.object)
                post(sample, older)
                post(sample, newer)
                waiting = [key for (key,) in self.database.execute(query, [f"{sample.source}:{newer.object}"])]
                self.assertEqual(waiting, [f"{sample.source}:{newer.id}:{effect}" for effect in sample.follows])

    def test_what_the_gateway_did_not_sign_is_refused_and_leaves_nothing(self):
        for sample in SAMPLES:
            with self.subTest(source=sample.source, type=sample.type):
                event = Fresh()
                forged = post(sample, event, secret="whsec_c29tZWJvZHktZWxzZXMtc2VjcmV0")
                cut = post(sample, event, webhook_signature="v1,")
                unsigned = post(sample, event, webhook_signature="")
                self.assertEqual([forged.status, cut.status, unsigned.status], [401, 401, 401])
                self.assertEqual(self.in_inbox(event), 0)
                previous = post(sample, event, secret=PREVIOUS)
                self.assertEqual(outcome(previous), (200, "handled"), "it still counts")

    def test_what_can_never_succeed_is_not_asked_for_again(self):
        for sample in SAMPLES:
            with self.subTest(source=sample.source, type=sample.type):
                for body in (b"{", b'{"id": "\\u0000"}'):
                    event = Fresh()
                    answer = post(sample, event, raw=body)
                    self.assertEqual((answer.status, answer.headers.get("webhook-delivery")), (422, "abort-message"))
                    self.assertEqual(self.in_inbox(event), 0, "the inbox forgot it with the rest")

    def test_a_test_by_the_gateway_is_answered_and_leaves_nothing(self):
        event = Fresh()
        self.assertEqual(post(SAMPLES[0], event, hookhaven_test="true").status, 200)
        self.assertEqual(self.in_inbox(event), 0)
        nobody = Sample(source="nobody", type="x", body="{}", keeps=False, effects=[], follows=[])
        self.assertEqual(post(nobody, event).status, 404)


if __name__ == "__main__":
    unittest.main()
