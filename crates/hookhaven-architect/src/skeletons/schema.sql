-- What the handlers keep (PostgreSQL 13 or later). Running it again changes nothing.

-- One row for each event that was handled. Its key is what makes an event happen once: it is written in the same
-- transaction as the effect, so both are there or neither.
CREATE TABLE IF NOT EXISTS webhook_inbox (
    source     text        NOT NULL,
    webhook_id text        NOT NULL,
    event_type text        NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, webhook_id)
);
CREATE INDEX IF NOT EXISTS webhook_inbox_handled_at ON webhook_inbox (handled_at);

-- The newest known state of each thing that events speak of. Your own tables will take its place: give them
-- occurred_at too, and write them by an UPSERT with the same condition.
CREATE TABLE IF NOT EXISTS webhook_state (
    source      text        NOT NULL,
    object_id   text        NOT NULL,
    event_type  text        NOT NULL,
    webhook_id  text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    body        jsonb       NOT NULL,
    PRIMARY KEY (source, object_id)
);

-- Effects outside this database: decided in the event's transaction, performed after it.
CREATE TABLE IF NOT EXISTS webhook_outbox (
    id              bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    effect          text        NOT NULL,
    idempotency_key text        NOT NULL UNIQUE,
    -- Of an effect that follows the newest state: which object's. A newer state ends what older ones still wait for.
    follows         text,
    payload         jsonb       NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    due_at          timestamptz NOT NULL DEFAULT now(),
    done_at         timestamptz,
    last_error      text
);
CREATE INDEX IF NOT EXISTS webhook_outbox_due ON webhook_outbox (effect, due_at) WHERE done_at IS NULL;
CREATE INDEX IF NOT EXISTS webhook_outbox_follows ON webhook_outbox (effect, follows) WHERE done_at IS NULL;
