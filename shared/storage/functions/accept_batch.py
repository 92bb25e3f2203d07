"""The acceptances of several debits whose operations have no earlier attempt."""

from typing import Final

from shared.storage.db.calls import UNUSUAL
from shared.storage.db.statement import Statement
from shared.storage.functions.function import NOW, TOGETHER_SETTINGS, Function

# An insert with ON CONFLICT cannot skip: it waits for an attempt that is being stored. So it waits no longer
# than `LOCK_WAIT`, and in one order, so that two batches never wait for each other; past that all go alone.
ACCEPT_BATCH: Final = Function(
    "ct_accept_batch_v1",
    f"""
CREATE FUNCTION ct_accept_batch_v1(p_calls json)
RETURNS TABLE (number integer, is_accepted boolean)
LANGUAGE plpgsql VOLATILE {TOGETHER_SETTINGS} AS $function$
DECLARE
    v_ids text[];
    v_inserted text[];
BEGIN
    -- No attempt of the operation is stored, the terminal lock has its row, and nobody else is in the batch
    -- with the same operation.
    v_ids := ARRAY(
        SELECT DISTINCT ON (c.merchant_id, c.operation_key) c.id
        FROM json_to_recordset(p_calls) AS c(number integer, id text, merchant_id text, operation_key text,
            terminal_address text)
        WHERE NOT EXISTS (SELECT FROM payments p
                WHERE p.merchant_id = c.merchant_id AND p.operation_key = c.operation_key)
            AND EXISTS (SELECT FROM terminal_locks l WHERE l.address = c.terminal_address)
        ORDER BY c.merchant_id, c.operation_key, c.number);

    WITH inserted AS (
        INSERT INTO payments (id, merchant_id, order_id, operation, operation_key, guard_key, state,
            amount_cents, currency, protocol, force_authorization, host, port, terminal_address, pos_number,
            profile, request, webhook_endpoint_id, reply_to, traceparent, created_at, deadline_at,
            published_at, warnings)
        SELECT c.id, c.merchant_id, c.order_id, 'debit', c.operation_key, c.operation_key, 'queued',
            c.amount_cents, c.currency, c.protocol, c.force_authorization, c.host, c.port,
            c.terminal_address, c.pos_number, c.profile, c.request, c.webhook_endpoint_id, c.reply_to,
            c.traceparent, {NOW}, {NOW} + c.deadline_ms, {NOW}, c.warnings
        FROM json_to_recordset(p_calls) AS c(id text, merchant_id text, order_id text, operation_key text,
            amount_cents bigint, currency text, protocol text, force_authorization boolean, host text,
            port integer, terminal_address text, pos_number text, profile text, request text,
            webhook_endpoint_id text, reply_to text, traceparent text, deadline_ms bigint, warnings text)
        WHERE c.id = ANY(v_ids)
        ORDER BY c.merchant_id, c.operation_key
        ON CONFLICT DO NOTHING
        RETURNING id
    )
    SELECT array_agg(id) FROM inserted INTO v_inserted;

    -- By a statement after the insert, as for one payment.
    PERFORM FROM payments mine JOIN payments other
        ON other.merchant_id = mine.merchant_id AND other.operation_key = mine.operation_key
            AND other.id <> mine.id
    WHERE mine.id = ANY(v_inserted);
    IF FOUND THEN
        RAISE EXCEPTION 'another attempt was stored meanwhile' USING ERRCODE = '{UNUSUAL}';
    END IF;

    INSERT INTO payment_events (payment_id, at, event, state, detail)
    SELECT c.id, {NOW}, 'accepted', 'queued', c.detail
    FROM json_to_recordset(p_calls) AS c(id text, detail text) WHERE c.id = ANY(v_inserted);

    INSERT INTO deliveries (id, kind, target, merchant_id, payment_id, type, sequence, state,
        created_at, since_at, due_at, publish_at)
    SELECT c.order_notification_id, 'hipay', 'hipay', c.merchant_id, c.id, 'order', 1, 'waiting',
        {NOW}, {NOW}, {NOW}, {NOW} + c.grace_ms
    FROM json_to_recordset(p_calls)
        AS c(id text, merchant_id text, order_notification_id text, grace_ms bigint)
    WHERE c.id = ANY(v_inserted) AND c.order_notification_id IS NOT NULL;

    RETURN QUERY SELECT c.number, true FROM json_to_recordset(p_calls) AS c(number integer, id text)
    WHERE c.id = ANY(v_inserted);
END
$function$
""",
)

TOGETHER: Final = Statement("SELECT number, is_accepted FROM ct_accept_batch_v1(CAST(:calls AS json))")
