"""The ends of several debits' sessions with an answer, and the releases of their terminal locks."""

from typing import Final

from shared.storage.db.calls import UNUSUAL
from shared.storage.db.statement import Statement
from shared.storage.functions.function import NOW, STATE, TOGETHER_SETTINGS, Function

# As in the batch of claims: locked in one order, what is locked is skipped, and evidence is read by a
# statement after the locks. Reversals and credits, whose debit would have to be locked, too, go alone.
SETTLE_BATCH: Final = Function(
    "ct_settle_batch_v1",
    f"""
CREATE FUNCTION ct_settle_batch_v1(p_calls json)
RETURNS TABLE (number integer, settled payments, delivery_ids text[], delivery_targets text[])
LANGUAGE plpgsql VOLATILE {TOGETHER_SETTINGS} AS $function$
DECLARE
    v_addresses text[];
    v_ids text[];
BEGIN
    v_addresses := ARRAY(
        SELECT l.address FROM terminal_locks l
        JOIN json_to_recordset(p_calls) AS c(address text, epoch bigint, token text)
            ON l.address = c.address AND l.epoch = c.epoch AND l.claim = c.token
        ORDER BY l.address FOR NO KEY UPDATE OF l SKIP LOCKED);
    v_ids := ARRAY(
        SELECT p.id FROM payments p
        JOIN json_to_recordset(p_calls) AS c(payment_id text, address text, epoch bigint)
            ON p.id = c.payment_id AND p.epoch = c.epoch
        WHERE {STATE} = 'in_session' AND p.debit_id IS NULL AND NOT p.contradicted AND NOT p.key_closed
            AND c.address = ANY(v_addresses)
        ORDER BY p.id FOR NO KEY UPDATE OF p SKIP LOCKED);
    v_ids := ARRAY(
        SELECT mine.id FROM unnest(v_ids) AS mine(id)
        WHERE NOT EXISTS (SELECT FROM evidence e WHERE e.payment_id = mine.id AND e.proves IS NOT NULL));

    RETURN QUERY
    WITH calls AS (
        SELECT * FROM json_to_recordset(p_calls) AS c(
            number integer, payment_id text, address text, epoch bigint, token text,
            echoes text, identifies boolean, identify_first boolean,
            event text, state text, reason text, blocks_new_attempts boolean, detail text,
            paid_cents bigint, error_code text, error_description text, authorisation_number text,
            masked_card text, application text, aid text, card_read_mode text, receipt text, warnings text,
            type text, body_start text, body_middle text, body_end text, delivery_prefix text,
            grace_ms bigint)
        WHERE c.payment_id = ANY(v_ids)
    ), released AS (
        UPDATE terminal_locks l SET held_by = NULL, worker = NULL, claim = NULL, acquired_at = NULL,
            lease_until = NULL, release_for = NULL, release_by = NULL, release_asked_at = NULL,
            epoch = l.epoch + 1,
            echoes = COALESCE(c.echoes, l.echoes),
            answered_at = CASE WHEN c.echoes IS NULL THEN l.answered_at ELSE {NOW} END,
            identifies = COALESCE(c.identifies, l.identifies),
            identify_first = COALESCE(c.identify_first, l.identify_first)
        FROM calls c WHERE l.address = c.address AND l.epoch = c.epoch AND l.claim = c.token
        RETURNING c.number
    ), moved AS (
        UPDATE payments p SET state = c.state, reason = c.reason,
            guard_key = CASE WHEN c.blocks_new_attempts THEN p.guard_key ELSE NULL END,
            ended_at = {NOW}, held_since = NULL,
            paid_cents = c.paid_cents, error_code = c.error_code, error_description = c.error_description,
            authorisation_number = c.authorisation_number, masked_card = c.masked_card,
            application = c.application, aid = c.aid, card_read_mode = c.card_read_mode,
            receipt = c.receipt, warnings = c.warnings
        FROM calls c JOIN released r ON r.number = c.number
        WHERE p.id = c.payment_id AND {STATE} = 'in_session' AND p.epoch = c.epoch
        RETURNING c.number, c.event, c.detail, c.type, c.body_start, c.body_middle, c.body_end,
            c.delivery_prefix, c.grace_ms, p.id, p.merchant_id, p.webhook_endpoint_id, p.state, p.ended_at,
            p AS settled
    ), history AS (
        INSERT INTO payment_events (payment_id, at, event, state, detail)
        SELECT m.id, {NOW}, m.event, m.state, m.detail FROM moved m
    ), written AS (
        INSERT INTO events (merchant_id, payment_id, sequence, type, at, body)
        SELECT m.merchant_id, m.id,
            (SELECT COALESCE(MAX(e.sequence), 0) + 1 FROM events e WHERE e.payment_id = m.id), m.type, {NOW},
            m.body_start
            || '"' || to_char((to_timestamp(m.ended_at / 1000) AT TIME ZONE 'UTC')
                + m.ended_at % 1000 * interval '1 millisecond', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"'
            || m.body_middle || m.ended_at || m.body_end
        FROM moved m
        RETURNING events.number AS event_number, events.payment_id, events.sequence, events.type
    ), sent AS (
        INSERT INTO deliveries (id, kind, target, merchant_id, payment_id, event_number, type, sequence,
            state, created_at, since_at, due_at, publish_at)
        SELECT m.delivery_prefix || w.sequence || '_' || substr(e.id, 5), 'merchant', e.id, m.merchant_id,
            m.id, w.event_number, w.type, w.sequence, 'waiting', {NOW}, {NOW}, {NOW}, {NOW} + m.grace_ms
        FROM written w JOIN moved m ON m.id = w.payment_id
        JOIN webhook_endpoints e ON e.merchant_id = m.merchant_id AND e.disabled_at IS NULL
        WHERE (m.webhook_endpoint_id IS NULL OR e.id = m.webhook_endpoint_id)
            AND (e.types = '' OR e.types LIKE '%|' || w.type || '|%')
        RETURNING deliveries.id, deliveries.target, deliveries.payment_id
    )
    SELECT m.number, m.settled,
        (SELECT array_agg(s.id ORDER BY s.id) FROM sent s WHERE s.payment_id = m.id),
        (SELECT array_agg(s.target ORDER BY s.id) FROM sent s WHERE s.payment_id = m.id)
    FROM moved m;

    -- Nobody else could change the locked rows: whatever is not settled now is released, or not, by mistake.
    PERFORM FROM payments p WHERE p.id = ANY(v_ids) AND {STATE} = 'in_session';
    IF FOUND THEN
        RAISE EXCEPTION 'not in this session any more' USING ERRCODE = '{UNUSUAL}';
    END IF;
END
$function$
""",
)

TOGETHER: Final = Statement(
    "SELECT {payment}, delivery_ids, delivery_targets, number"
    " FROM (SELECT (called.settled).*, called.delivery_ids, called.delivery_targets, called.number"
    " FROM ct_settle_batch_v1(CAST(:calls AS json)) called) settled"
)
