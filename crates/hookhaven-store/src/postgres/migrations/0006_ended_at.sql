-- When an attempt ended, for those who follow what happens. Null for what versions before this one recorded; they
-- neither read nor write it.
ALTER TABLE attempts ADD COLUMN ended_at timestamptz;
CREATE INDEX attempts_ended ON attempts (ended_at) WHERE ended_at IS NOT NULL;
