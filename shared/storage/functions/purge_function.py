"""The deletion of old payments with all that belongs to them, by the owner's rights.

No process has the right to delete a history, so that one that is taken over cannot hide what happened. This
function has it, and checks itself that what it deletes is old, settled and undisputed.
"""

from typing import Final

from shared.storage.db.statement import Statement
from shared.storage.functions.function import NOW, Function

#: No retention is shorter.
LEAST_DAYS: Final = 30

PURGE: Final = Function(
    "ct_purge_v1",
    f"""
CREATE FUNCTION ct_purge_v1(p_ids text[], p_before bigint)
RETURNS TABLE (purged text, number bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $function$
BEGIN
    IF p_before > {NOW} - {LEAST_DAYS}::bigint * 86400000 THEN
        RAISE EXCEPTION 'payments are kept for {LEAST_DAYS} days at least';
    END IF;
    PERFORM id FROM payments WHERE id = ANY(p_ids)
        AND (state IN ('queued', 'in_session', 'in_doubt') OR contradicted OR key_closed
            OR ended_at >= p_before);
    IF FOUND THEN
        RAISE EXCEPTION 'a payment is young, open or disputed';
    END IF;
    PERFORM id FROM payments WHERE debit_id = ANY(p_ids) AND NOT id = ANY(p_ids);
    IF FOUND THEN
        RAISE EXCEPTION 'a payment refers to one of them';
    END IF;

    purged := 'delivery_attempts';
    DELETE FROM delivery_attempts
        WHERE delivery_id IN (SELECT id FROM deliveries WHERE payment_id = ANY(p_ids));
    GET DIAGNOSTICS number = ROW_COUNT; RETURN NEXT;
    purged := 'deliveries';
    DELETE FROM deliveries WHERE payment_id = ANY(p_ids);
    GET DIAGNOSTICS number = ROW_COUNT; RETURN NEXT;
    purged := 'events';
    DELETE FROM events WHERE payment_id = ANY(p_ids);
    GET DIAGNOSTICS number = ROW_COUNT; RETURN NEXT;
    purged := 'evidence';
    DELETE FROM evidence WHERE payment_id = ANY(p_ids);
    GET DIAGNOSTICS number = ROW_COUNT; RETURN NEXT;
    purged := 'gateway_records';
    DELETE FROM gateway_records WHERE payment_id = ANY(p_ids);
    GET DIAGNOSTICS number = ROW_COUNT; RETURN NEXT;
    purged := 'payment_events';
    DELETE FROM payment_events WHERE payment_id = ANY(p_ids);
    GET DIAGNOSTICS number = ROW_COUNT; RETURN NEXT;
    purged := 'responses';
    DELETE FROM responses WHERE payment_id = ANY(p_ids);
    GET DIAGNOSTICS number = ROW_COUNT; RETURN NEXT;
    purged := 'idempotency_keys';
    DELETE FROM idempotency_keys WHERE (merchant_id, key) IN
        (SELECT merchant_id, idempotency_key FROM payments
            WHERE id = ANY(p_ids) AND idempotency_key IS NOT NULL)
        AND NOT EXISTS (SELECT FROM payments other WHERE other.merchant_id = idempotency_keys.merchant_id
            AND other.order_id = idempotency_keys.order_id
            AND other.operation = idempotency_keys.operation AND NOT other.id = ANY(p_ids));
    GET DIAGNOSTICS number = ROW_COUNT; RETURN NEXT;
    purged := 'payments';
    DELETE FROM payments WHERE id = ANY(p_ids);
    GET DIAGNOSTICS number = ROW_COUNT; RETURN NEXT;
END
$function$;
""",
)

#: Whoever may call it; by default everybody might.
REVOKE_FROM_ALL: Final = "REVOKE ALL ON FUNCTION ct_purge_v1(text[], bigint) FROM PUBLIC"

CALL_PURGE: Final = Statement("SELECT purged, number FROM ct_purge_v1(:ids, :before)")
