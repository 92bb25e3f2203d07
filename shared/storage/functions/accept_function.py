"""The acceptance of a debit whose operation has no earlier attempt, and whose key names no operation yet."""

from typing import Final

from shared.storage.db.calls import UNUSUAL, Call
from shared.storage.db.statement import Statement
from shared.storage.functions.accept_batch import TOGETHER
from shared.storage.functions.function import NOW, Function

# An earlier attempt is looked for before the insert, which spares it, and after it, which decides: the insert
# waits for an attempt that is being stored, and one that was stored in between may be locked for review.
ACCEPT: Final = Function(
    "ct_accept_v1",
    f"""
CREATE FUNCTION ct_accept_v1(
    p_id text, p_merchant_id text, p_order_id text, p_operation_key text, p_idempotency_key text,
    p_amount_cents bigint, p_currency text, p_protocol text, p_force_authorization boolean,
    p_host text, p_port integer, p_terminal_address text, p_is_literal boolean, p_pos_number text,
    p_profile text, p_request text, p_webhook_endpoint_id text, p_reply_to text, p_traceparent text,
    p_deadline_ms bigint, p_warnings text, p_detail text, p_order_notification_id text, p_grace_ms bigint
)
RETURNS boolean LANGUAGE plpgsql VOLATILE AS $function$
BEGIN
    PERFORM id FROM payments WHERE merchant_id = p_merchant_id AND operation_key = p_operation_key;
    IF FOUND THEN
        RETURN false;
    END IF;
    IF p_idempotency_key IS NOT NULL THEN
        PERFORM key FROM idempotency_keys WHERE merchant_id = p_merchant_id AND key = p_idempotency_key;
        IF FOUND THEN
            RETURN false;
        END IF;
    END IF;

    IF NOT p_is_literal THEN
        -- A name that led elsewhere: mark the new address while the device may be busy at the earlier one.
        INSERT INTO terminal_locks (address, identify_first)
        SELECT p_terminal_address, moved FROM (SELECT EXISTS (SELECT FROM
                (SELECT terminal_address FROM payments WHERE merchant_id = p_merchant_id AND host = p_host
                    AND port = p_port AND substr(terminal_address, 1, length(host)) <> host
                    ORDER BY created_at DESC, id DESC LIMIT 1) newest
                JOIN terminal_locks old ON old.address = newest.terminal_address
                WHERE newest.terminal_address <> p_terminal_address
                    AND (old.held_by IS NOT NULL OR old.identify_first OR EXISTS (SELECT FROM payments waiting
                        WHERE waiting.terminal_address = old.address AND waiting.merchant_id = p_merchant_id
                            AND waiting.state = 'queued'))
                    AND old.identifies IS NOT FALSE) AS moved) seen
        WHERE moved OR NOT EXISTS (SELECT FROM terminal_locks WHERE address = p_terminal_address)
        ON CONFLICT (address) DO UPDATE
            SET identify_first = terminal_locks.identify_first OR excluded.identify_first;
    ELSE
        -- ON CONFLICT alone would wait for a transaction that is writing to an existing row.
        INSERT INTO terminal_locks (address) SELECT p_terminal_address
        WHERE NOT EXISTS (SELECT FROM terminal_locks WHERE address = p_terminal_address)
        ON CONFLICT (address) DO NOTHING;
    END IF;

    INSERT INTO payments (id, merchant_id, order_id, operation, operation_key, guard_key, idempotency_key,
        state, amount_cents, currency, protocol, force_authorization, host, port, terminal_address,
        pos_number, profile, request, webhook_endpoint_id, reply_to, traceparent, created_at, deadline_at,
        published_at, warnings)
    VALUES (p_id, p_merchant_id, p_order_id, 'debit', p_operation_key, p_operation_key, p_idempotency_key,
        'queued', p_amount_cents, p_currency, p_protocol, p_force_authorization, p_host, p_port,
        p_terminal_address, p_pos_number, p_profile, p_request, p_webhook_endpoint_id, p_reply_to,
        p_traceparent, {NOW}, {NOW} + p_deadline_ms, {NOW}, p_warnings)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        -- The terminal lock's row may be new; every request makes it that far.
        RETURN false;
    END IF;

    PERFORM id FROM payments
    WHERE merchant_id = p_merchant_id AND operation_key = p_operation_key AND id <> p_id;
    IF FOUND THEN
        RAISE EXCEPTION 'another attempt was stored meanwhile' USING ERRCODE = '{UNUSUAL}';
    END IF;

    INSERT INTO payment_events (payment_id, at, event, state, detail)
    VALUES (p_id, {NOW}, 'accepted', 'queued', p_detail);

    IF p_order_notification_id IS NOT NULL THEN
        INSERT INTO deliveries (id, kind, target, merchant_id, payment_id, type, sequence, state,
            created_at, since_at, due_at, publish_at)
        VALUES (p_order_notification_id, 'hipay', 'hipay', p_merchant_id, p_id, 'order', 1, 'waiting',
            {NOW}, {NOW}, {NOW}, {NOW} + p_grace_ms);
    END IF;

    -- The last statement that can wait: two transactions never wait for each other.
    IF p_idempotency_key IS NOT NULL THEN
        INSERT INTO idempotency_keys
            (merchant_id, key, order_id, operation, amount_cents, currency, created_at)
        VALUES (p_merchant_id, p_idempotency_key, p_order_id, 'debit', p_amount_cents, p_currency, {NOW})
        ON CONFLICT (merchant_id, key) DO NOTHING;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the key was bound meanwhile' USING ERRCODE = '{UNUSUAL}';
        END IF;
    END IF;
    RETURN true;
END
$function$
""",
)

_ALONE: Final = Statement(
    "SELECT ct_accept_v1(:id, :merchant_id, :order_id, :operation_key, :idempotency_key, :amount_cents,"
    " :currency, :protocol, :force_authorization, :host, :port, :terminal_address, :is_literal, :pos_number,"
    " :profile, :request, :webhook_endpoint_id, :reply_to, :traceparent, :deadline_ms, :warnings, :detail,"
    " :order_notification_id, :grace_ms) AS is_accepted"
)

CALL_ACCEPT: Final = Call(_ALONE, TOGETHER)
