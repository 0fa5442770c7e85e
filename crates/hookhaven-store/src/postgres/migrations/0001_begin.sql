-- The tables of one store. The runner has set search_path to the schema `hookhaven`.
--
-- `slice` is the day (UTC, counted from 1970) in which an event was born, by its id; 0 is for what outlived
-- its day. Events, ended deliveries and attempts of one event are always in the same slice, so that a
-- day goes by dropping three partitions. Times are the node's `now`, never SQL's.


-- Numbers of sessions: never the same twice.
CREATE SEQUENCE session_epoch;

CREATE TABLE sessions (
    id    bigint PRIMARY KEY,
    ttl_us bigint NOT NULL,
    until timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- Nodes and when each was last heard of.
CREATE TABLE nodes (
    id          text PRIMARY KEY,
    role        text NOT NULL,
    version     text NOT NULL,
    config_hash text NOT NULL,
    address     text NOT NULL,
    session     bigint,
    started_at  timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

CREATE TABLE catalog (
    kind  text NOT NULL,
    name  text NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (kind, name)
);

-- Copies of other stores into this one, of which there is at most one. While it has not ended, the database
-- serves nobody. What the cursor covers was committed with it: `phase` 1 is events up to `upto` (null: none), 2
-- keys up to that digest, 3 everything.
CREATE TABLE copies (
    id       uuid PRIMARY KEY,
    source   text NOT NULL,
    phase    smallint NOT NULL,
    upto     uuid,
    began_at timestamptz NOT NULL,
    ended_at timestamptz
);

-- Idempotency keys, by digest. Outside the slices: a unique index has to span all days.
CREATE TABLE keys (
    digest uuid PRIMARY KEY,
    event  uuid NOT NULL,
    until  timestamptz NOT NULL
) PARTITION BY HASH (digest);
CREATE INDEX keys_until ON keys (until);
DO $$
BEGIN
    FOR n IN 0..7 LOOP
        EXECUTE format('CREATE TABLE keys_%s PARTITION OF keys FOR VALUES WITH (MODULUS 8, REMAINDER %s)
            WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.2)', n, n);
    END LOOP;
END $$;

CREATE TABLE events (
    slice           int NOT NULL,
    id              uuid NOT NULL,
    source          text NOT NULL,
    event_type      text NOT NULL,
    idempotency_key text NOT NULL,
    -- The first eight bytes of the key's SHA-256: keys are too long for an index, and need no source here.
    key_hash        bigint NOT NULL,
    received_at     timestamptz NOT NULL,
    -- Whether a route took it when it was accepted.
    routed          boolean NOT NULL,
    -- What nobody filters by, in the codec's encoding: headers, correlation id, …
    head            bytea NOT NULL,
    body            bytea NOT NULL,
    PRIMARY KEY (id, slice)
) PARTITION BY LIST (slice);
CREATE INDEX events_key ON events (key_hash);
CREATE INDEX events_unrouted ON events (id) WHERE NOT routed;

-- What is pending or leased: the only queue there is. Everything else about a delivery is in `ended`.
CREATE TABLE live (
    id          uuid PRIMARY KEY,
    event       uuid NOT NULL,
    slice       int NOT NULL,
    fence       bigint NOT NULL,
    -- Who holds the lease; null: nobody.
    session     bigint,
    due_at      timestamptz NOT NULL,
    deadline_us bigint NOT NULL,
    accepted_at timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    attempts    int NOT NULL,
    tries       int NOT NULL,
    lost        int NOT NULL,
    last_class  smallint,
    critical    boolean NOT NULL,
    replaces    uuid,
    lane        text NOT NULL,
    source      text NOT NULL,
    event_type  text NOT NULL,
    destination text NOT NULL,
    route       text NOT NULL,
    policy      bytea NOT NULL
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.1);
CREATE INDEX live_waiting ON live (lane, due_at) WHERE session IS NULL;
CREATE INDEX live_leased ON live (lane, session) WHERE session IS NOT NULL;
CREATE INDEX live_event ON live (event);

CREATE TABLE ended (
    slice        int NOT NULL,
    id           uuid NOT NULL,
    event        uuid NOT NULL,
    state        smallint NOT NULL,
    reason       smallint,
    ended_at     timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    accepted_at  timestamptz NOT NULL,
    dismissed_at timestamptz,
    attempts     int NOT NULL,
    tries        int NOT NULL,
    lost         int NOT NULL,
    last_class   smallint,
    critical     boolean NOT NULL,
    replaces     uuid,
    replaced_by  uuid,
    lane         text NOT NULL,
    source       text NOT NULL,
    event_type   text NOT NULL,
    destination  text NOT NULL,
    route        text NOT NULL,
    policy       bytea NOT NULL,
    PRIMARY KEY (id, slice)
) PARTITION BY LIST (slice);
CREATE INDEX ended_event ON ended (event);
CREATE INDEX ended_dead_letters ON ended (ended_at)
    WHERE state = 3 AND replaced_by IS NULL AND dismissed_at IS NULL;

CREATE TABLE attempts (
    slice    int NOT NULL,
    delivery uuid NOT NULL,
    number   int NOT NULL,
    body     bytea NOT NULL,
    PRIMARY KEY (delivery, number, slice)
) PARTITION BY LIST (slice);

-- lz4 takes a fraction of the time of the default; a server built without it keeps the default.
DO $$
BEGIN
    ALTER TABLE events ALTER COLUMN body SET COMPRESSION lz4, ALTER COLUMN head SET COMPRESSION lz4;
    ALTER TABLE attempts ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END $$;

CREATE TABLE events_kept PARTITION OF events FOR VALUES IN (0);
CREATE TABLE ended_kept PARTITION OF ended FOR VALUES IN (0);
CREATE TABLE attempts_kept PARTITION OF attempts FOR VALUES IN (0);
