-- The pads of a reading session, by key name. It is made in the reading transaction, filled by COPY, whose data no
-- statement log records, and gone with the transaction.
CREATE TEMPORARY TABLE dbmask_keys (name text, inner_pad bytea, outer_pad bytea) ON COMMIT DROP
