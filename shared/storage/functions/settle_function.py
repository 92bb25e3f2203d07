"""The end of a session with an answer, and the release of its terminal lock."""

from typing import Final

from shared.storage.db.calls import UNUSUAL, Call
from shared.storage.db.statement import Statement
from shared.storage.functions.function import NOW, Function
from shared.storage.functions.settle_batch import TOGETHER

# Rows are locked in the order terminal lock, debit, payment. The event's body comes in three parts, around
# the time of the payment's end: first in ISO 8601, then in milliseconds.
SETTLE: Final = Function(
    "ct_settle_v1",
    f"""
CREATE FUNCTION ct_settle_v1(
    p_payment_id text, p_address text, p_epoch bigint, p_token text,
    p_echoes text, p_identifies boolean, p_identify_first boolean,
    p_debit_id text, p_releases_debit boolean,
    p_event text, p_state text, p_reason text, p_blocks_new_attempts boolean, p_detail text,
    p_paid_cents bigint, p_error_code text, p_error_description text, p_authorisation_number text,
    p_masked_card text, p_application text, p_aid text, p_card_read_mode text, p_receipt text,
    p_warnings text, p_type text, p_body_start text, p_body_middle text, p_body_end text,
    p_delivery_prefix text, p_grace_ms bigint
)
RETURNS TABLE (settled payments, delivery_ids text[], delivery_targets text[])
LANGUAGE plpgsql VOLATILE AS $function$
DECLARE
    v_number bigint;
    v_sequence integer;
    v_has_endpoint boolean;
BEGIN
    UPDATE terminal_locks SET held_by = NULL, worker = NULL, claim = NULL, acquired_at = NULL,
        lease_until = NULL, release_for = NULL, release_by = NULL, release_asked_at = NULL, epoch = epoch + 1,
        echoes = COALESCE(p_echoes, echoes),
        answered_at = CASE WHEN p_echoes IS NULL THEN answered_at ELSE {NOW} END,
        identifies = COALESCE(p_identifies, identifies),
        identify_first = COALESCE(p_identify_first, identify_first)
    WHERE address = p_address AND epoch = p_epoch AND claim = p_token;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    IF p_debit_id IS NOT NULL THEN
        PERFORM id FROM payments WHERE id = p_debit_id FOR UPDATE;
    END IF;

    UPDATE payments SET state = p_state, reason = p_reason,
        guard_key = CASE WHEN p_blocks_new_attempts THEN guard_key ELSE NULL END,
        ended_at = {NOW}, held_since = NULL,
        paid_cents = p_paid_cents, error_code = p_error_code, error_description = p_error_description,
        authorisation_number = p_authorisation_number, masked_card = p_masked_card,
        application = p_application, aid = p_aid, card_read_mode = p_card_read_mode, receipt = p_receipt,
        warnings = p_warnings
    WHERE id = p_payment_id AND state = 'in_session' AND epoch = p_epoch
        AND NOT contradicted AND NOT key_closed
    RETURNING payments.* INTO settled;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'not in this session any more' USING ERRCODE = '{UNUSUAL}';
    END IF;

    -- A statement after the locks: who stores evidence locks the payment first, so one sees the other.
    PERFORM id FROM evidence WHERE payment_id = p_payment_id AND proves IS NOT NULL;
    IF FOUND THEN
        RAISE EXCEPTION 'there is an earlier proof' USING ERRCODE = '{UNUSUAL}';
    END IF;

    INSERT INTO payment_events (payment_id, at, event, state, detail)
    VALUES (p_payment_id, {NOW}, p_event, p_state, p_detail);

    IF p_releases_debit THEN
        UPDATE payments SET guard_key = NULL WHERE id = p_debit_id;
    END IF;

    INSERT INTO events (merchant_id, payment_id, sequence, type, at, body)
    SELECT settled.merchant_id, p_payment_id, COALESCE(MAX(sequence), 0) + 1, p_type, {NOW},
        p_body_start
        || '"' || to_char((to_timestamp(settled.ended_at / 1000) AT TIME ZONE 'UTC')
            + settled.ended_at % 1000 * interval '1 millisecond', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"'
        || p_body_middle || settled.ended_at || p_body_end
    FROM events WHERE payment_id = p_payment_id
    RETURNING number, sequence, EXISTS (SELECT FROM webhook_endpoints
        WHERE merchant_id = settled.merchant_id AND disabled_at IS NULL)
    INTO v_number, v_sequence, v_has_endpoint;

    IF v_has_endpoint THEN
        WITH written AS (
            INSERT INTO deliveries (id, kind, target, merchant_id, payment_id, event_number, type, sequence,
                state, created_at, since_at, due_at, publish_at)
            SELECT p_delivery_prefix || v_sequence || '_' || substr(id, 5), 'merchant', id, merchant_id,
                p_payment_id, v_number, p_type, v_sequence, 'waiting', {NOW}, {NOW}, {NOW}, {NOW} + p_grace_ms
            FROM webhook_endpoints
            WHERE merchant_id = settled.merchant_id AND disabled_at IS NULL
                AND (settled.webhook_endpoint_id IS NULL OR id = settled.webhook_endpoint_id)
                AND (types = '' OR types LIKE '%|' || p_type || '|%')
            RETURNING id, target
        )
        SELECT array_agg(id), array_agg(target) FROM written INTO delivery_ids, delivery_targets;
    END IF;
    RETURN NEXT;
END
$function$
""",
)

_ALONE: Final = Statement(
    "SELECT {payment}, delivery_ids, delivery_targets"
    " FROM (SELECT (called.settled).*, called.delivery_ids, called.delivery_targets FROM ct_settle_v1("
    ":payment_id, :address, :epoch, :token, :echoes, :identifies, :identify_first, :debit_id,"
    " :releases_debit, :event, :state, :reason, :blocks_new_attempts, :detail, :paid_cents, :error_code,"
    " :error_description, :authorisation_number, :masked_card, :application, :aid, :card_read_mode, :receipt,"
    " :warnings, :type, :body_start, :body_middle, :body_end, :delivery_prefix, :grace_ms) called) settled"
)

CALL_SETTLE: Final = Call(_ALONE, TOGETHER)
