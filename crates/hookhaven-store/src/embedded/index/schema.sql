-- What happened, for those who ask. Made from the journal and thrown away at will: the journal is the
-- truth. Ids are 16 bytes that sort by time; times are microseconds since 1970.

CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY) WITHOUT ROWID, STRICT;

-- One row: the last frame of the journal that is in here, and the salt of its segment.
CREATE TABLE reached (
    one INTEGER PRIMARY KEY CHECK (one = 1), segment INTEGER NOT NULL, offset INTEGER NOT NULL,
    len INTEGER NOT NULL, salt BLOB NOT NULL
) STRICT;

-- segment, offset and len say where in the journal the event lies, body and headers included.
CREATE TABLE events (
    id BLOB PRIMARY KEY, source TEXT NOT NULL, event_type TEXT NOT NULL, idempotency_key TEXT NOT NULL,
    received_at INTEGER NOT NULL, occurred_at INTEGER, correlation_id TEXT NOT NULL, matched_secret INTEGER,
    remote TEXT NOT NULL, body_bytes INTEGER NOT NULL, deliveries INTEGER NOT NULL,
    segment INTEGER NOT NULL, offset INTEGER NOT NULL, len INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX events_unrouted ON events (id) WHERE deliveries = 0;

CREATE TABLE policies (id INTEGER PRIMARY KEY, policy BLOB NOT NULL UNIQUE) STRICT;

-- attempts counts against the retry policy, tries counts all, lost counts those lost in a row.
CREATE TABLE deliveries (
    id BLOB PRIMARY KEY, event BLOB NOT NULL, source TEXT NOT NULL, event_type TEXT NOT NULL,
    destination TEXT NOT NULL, lane TEXT NOT NULL, route TEXT NOT NULL, policy INTEGER NOT NULL,
    critical INTEGER NOT NULL, accepted_at INTEGER NOT NULL, replaces BLOB,
    segment INTEGER NOT NULL, offset INTEGER NOT NULL, len INTEGER NOT NULL,
    state TEXT NOT NULL, due_at INTEGER NOT NULL, attempts INTEGER NOT NULL, tries INTEGER NOT NULL,
    lost INTEGER NOT NULL, ended_at INTEGER, end_reason TEXT, replaced_by BLOB, dismissed_at INTEGER,
    last_at INTEGER, last_class TEXT, last_status INTEGER, last_error TEXT, cancel_asked_at INTEGER,
    -- The place in its line, as the journal writes it; until when it parks that, dead.
    ordering BLOB, parks_until INTEGER
) WITHOUT ROWID, STRICT;
CREATE INDEX deliveries_of_event ON deliveries (event);
CREATE INDEX deliveries_pending ON deliveries (id) WHERE state = 'pending';
-- What stands behind the id is the same in all of these rows. With it, who asks for ids and ages alone reads no row.
CREATE INDEX deliveries_dead_letters ON deliveries (id, state, replaced_by, dismissed_at)
    WHERE state = 'dead' AND replaced_by IS NULL AND dismissed_at IS NULL;
CREATE INDEX deliveries_dead_by_age ON deliveries (ended_at, id, state, replaced_by, dismissed_at)
    WHERE state = 'dead' AND replaced_by IS NULL AND dismissed_at IS NULL;

CREATE INDEX deliveries_parking ON deliveries (parks_until)
    WHERE parks_until IS NOT NULL AND replaced_by IS NULL AND dismissed_at IS NULL;

-- In short; the whole of an attempt, answer included, lies in the journal at segment, offset, len.
CREATE TABLE attempts (
    delivery BLOB NOT NULL, number INTEGER NOT NULL, id BLOB NOT NULL, started_at INTEGER NOT NULL,
    duration_us INTEGER NOT NULL, status INTEGER, class TEXT NOT NULL, error TEXT NOT NULL,
    segment INTEGER NOT NULL, offset INTEGER NOT NULL, len INTEGER NOT NULL,
    PRIMARY KEY (delivery, number)
) WITHOUT ROWID, STRICT;
-- By their ends; the rest of the key is in every index.
CREATE INDEX attempts_ended ON attempts (started_at + duration_us);

-- What happened to published deliveries, in the journal's order. kind: 0 accepted, 1 cancel asked, 2 ended without
-- an attempt, from 10 on attempt number kind - 9.
CREATE TABLE steps (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, delivery BLOB NOT NULL, kind INTEGER NOT NULL)
    STRICT;

-- What rows born in a moment are, or were at some time; it says where lists need not look. A moment is 32 ms of the
-- time that ids begin with. Of events source and type only; a delivery counts for the moment of its event, too.
CREATE TABLE kinds (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, event_type TEXT NOT NULL, destination TEXT NOT NULL,
    route TEXT NOT NULL, state TEXT NOT NULL, class TEXT NOT NULL, status INTEGER NOT NULL,
    UNIQUE (source, event_type, destination, route, state, class, status)
) STRICT;
CREATE TABLE moments (kind INTEGER NOT NULL, moment INTEGER NOT NULL, PRIMARY KEY (kind, moment))
    WITHOUT ROWID, STRICT;

-- A digest of source and idempotency key, the event that holds it, until when, and the digest of its body. until is 0
-- once the window has passed: then it is only a way to find the event, and goes with it.
CREATE TABLE keys (digest BLOB PRIMARY KEY, event BLOB NOT NULL, until INTEGER NOT NULL, body BLOB)
    WITHOUT ROWID, STRICT;
CREATE INDEX keys_until ON keys (until) WHERE until > 0;
-- Events whose key another one has had since.
CREATE TABLE older_keys (digest BLOB NOT NULL, event BLOB NOT NULL, PRIMARY KEY (digest, event)) WITHOUT ROWID, STRICT;
CREATE TRIGGER keys_taken_over AFTER UPDATE OF event ON keys WHEN old.event <> new.event BEGIN
    -- Not OR IGNORE: what an upsert says of conflicts counts in its triggers too.
    INSERT INTO older_keys SELECT old.digest, old.event
        WHERE NOT EXISTS (SELECT 1 FROM older_keys WHERE digest = old.digest AND event = old.event);
END;

-- The newest version of each line, and the segment of the event that had it.
CREATE TABLE versions (line BLOB PRIMARY KEY, version BLOB NOT NULL, segment INTEGER NOT NULL) WITHOUT ROWID, STRICT;
CREATE INDEX versions_segment ON versions (segment);

-- At most one row: what lies in segments up to upto has gone. Events from first_event to last_event that lay
-- there are being deleted, in the order of their ids; done when that is over.
CREATE TABLE removed (
    one INTEGER PRIMARY KEY CHECK (one = 1), upto INTEGER NOT NULL, first_event BLOB NOT NULL,
    last_event BLOB NOT NULL, done INTEGER NOT NULL
) STRICT;

CREATE TABLE catalog (kind TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, name))
    WITHOUT ROWID, STRICT;
