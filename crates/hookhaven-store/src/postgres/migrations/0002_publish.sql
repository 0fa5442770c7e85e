-- Queues, cancelling and steps. Whoever knows version 1 only neither reads nor writes what is new here: the columns
-- are null unless said otherwise, and nothing it has accepted waits in a queue.

-- `queue` is the lane of the queue that a delivery is in or beside, null elsewhere; `holder` is whose slot there it
-- takes or keeps: its own, or that of the delivery it is beside. `turn` numbers the commits that put something into
-- a queue that was due at once; null: it was due later. `session` 0 is nobody's, and nobody gets it: the delivery's
-- end was asked for.
ALTER TABLE live
    ADD COLUMN queue text,
    ADD COLUMN holder uuid,
    ADD COLUMN turn bigint,
    ADD COLUMN cancel_asked_at timestamptz;
ALTER TABLE ended ADD COLUMN cancel_asked_at timestamptz;

CREATE SEQUENCE queue_turn;

-- Those that wait for their turn, in turn.
CREATE INDEX live_turns ON live (queue, due_at, turn, id) WHERE holder = id AND tries = 0 AND session IS NULL;
-- Those that take or keep a slot.
CREATE INDEX live_holding ON live (queue, holder)
    WHERE queue IS NOT NULL AND (holder <> id OR tries > 0 OR session > 0);
-- Where the next that is due at once goes: behind all of these.
CREATE INDEX live_at_once ON live (queue, due_at) WHERE turn IS NOT NULL AND tries = 0;

-- Of a copy (`copies`), phase 4 is steps up to a number, `upto`; it comes before 3.

-- What happened to published deliveries. Not with their events, but in the slice of the day on which it happened. `kind`
-- is as in the codec.
CREATE SEQUENCE step_number;
CREATE TABLE steps (
    slice    int NOT NULL,
    number   bigint NOT NULL DEFAULT nextval('step_number'),
    at       timestamptz NOT NULL,
    delivery uuid NOT NULL,
    kind     int NOT NULL,
    PRIMARY KEY (number, slice)
) PARTITION BY LIST (slice);
