"""The claim of a queued payment whose terminal lock is free."""

from typing import Final

from shared.storage.db.calls import UNUSUAL, Call
from shared.storage.db.statement import Statement
from shared.storage.functions.claim_batch import TOGETHER
from shared.storage.functions.function import NOW, Function

# The condition on the payment in the first statement spares the second one; only the second one decides.
CLAIM: Final = Function(
    "ct_claim_v1",
    f"""
CREATE FUNCTION ct_claim_v1(p_payment_id text, p_worker text, p_token text, p_lease_ms bigint)
RETURNS TABLE (
    claimed payments,
    lock_epoch bigint, lock_echoes text, lock_identifies boolean, lock_identify_first boolean
) LANGUAGE plpgsql VOLATILE AS $function$
BEGIN
    UPDATE terminal_locks SET held_by = p_payment_id, worker = p_worker, epoch = epoch + 1, claim = p_token,
        acquired_at = {NOW}, lease_until = {NOW} + p_lease_ms
    WHERE address = (SELECT terminal_address FROM payments
            WHERE id = p_payment_id AND state = 'queued' AND deadline_at > {NOW})
        AND held_by IS NULL
    RETURNING epoch, echoes, identifies, identify_first
    INTO lock_epoch, lock_echoes, lock_identifies, lock_identify_first;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    UPDATE payments SET state = 'in_session', claimed_at = {NOW}, worker = p_worker, epoch = lock_epoch
    WHERE id = p_payment_id AND state = 'queued' AND deadline_at > {NOW}
    RETURNING payments.* INTO claimed;
    -- Without the error the terminal would stay locked for a payment that no run has.
    IF NOT FOUND OR claimed.deadline_at <= {NOW} THEN
        RAISE EXCEPTION 'not queued any more' USING ERRCODE = '{UNUSUAL}';
    END IF;

    INSERT INTO payment_events (payment_id, at, event, state, detail)
    VALUES (p_payment_id, {NOW}, 'claimed', 'in_session',
        format('{{"worker":%s,"epoch":%s,"terminal_address":%s}}',
            to_json(p_worker), lock_epoch, to_json(claimed.terminal_address)));
    RETURN NEXT;
END
$function$
""",
)

_ALONE: Final = Statement(
    "SELECT {payment}, profile, traceparent, terminal_address AS address, lock_epoch AS epoch,"
    " lock_echoes AS echoes, lock_identifies AS identifies, lock_identify_first AS identify_first"
    " FROM (SELECT (called.claimed).*, called.lock_epoch, called.lock_echoes, called.lock_identifies,"
    " called.lock_identify_first"
    " FROM ct_claim_v1(:payment_id, :worker, :token, :lease_ms) called) claimed"
)

CALL_CLAIM: Final = Call(_ALONE, TOGETHER)
