"""The claims of several queued payments whose terminal locks are free."""

from typing import Final

from shared.storage.db.calls import UNUSUAL
from shared.storage.db.statement import Statement
from shared.storage.functions.function import NOW, STATE, TOGETHER_SETTINGS, Function

# The payment of a call. OFFSET keeps the other conditions out of its search, for the reason of `STATE`.
_PAYMENT: Final = "LATERAL (SELECT * FROM payments WHERE id = c.payment_id OFFSET 0) p"

# What another transaction has locked is skipped, and goes alone: no call waits behind another one's lock. The
# rows are locked by statements of their own, so that the later ones see what their earlier holders committed;
# FOR NO KEY UPDATE, as an UPDATE locks: FOR UPDATE would skip what a row that is being stored refers to.
CLAIM_BATCH: Final = Function(
    "ct_claim_batch_v1",
    f"""
CREATE FUNCTION ct_claim_batch_v1(p_calls json)
RETURNS TABLE (
    number integer, claimed payments,
    lock_epoch bigint, lock_echoes text, lock_identifies boolean, lock_identify_first boolean
) LANGUAGE plpgsql VOLATILE {TOGETHER_SETTINGS} AS $function$
DECLARE
    v_addresses text[];
    v_ids text[];
BEGIN
    v_addresses := ARRAY(
        SELECT locked.address FROM (
            SELECT DISTINCT p.terminal_address
            FROM json_to_recordset(p_calls) AS c(payment_id text), {_PAYMENT}
            WHERE p.state = 'queued' AND p.deadline_at > {NOW}
            ORDER BY p.terminal_address
        ) wanted, LATERAL (
            SELECT address FROM terminal_locks WHERE address = wanted.terminal_address AND held_by IS NULL
            FOR NO KEY UPDATE SKIP LOCKED
        ) locked);
    v_ids := ARRAY(
        SELECT locked.id FROM (
            SELECT DISTINCT c.payment_id FROM json_to_recordset(p_calls) AS c(payment_id text), {_PAYMENT}
            WHERE p.terminal_address = ANY(v_addresses)
            ORDER BY c.payment_id
        ) wanted, LATERAL (
            SELECT p.id FROM payments p
            WHERE p.id = wanted.payment_id AND {STATE} = 'queued' AND p.deadline_at > {NOW}
            FOR NO KEY UPDATE SKIP LOCKED
        ) locked);

    RETURN QUERY
    WITH chosen AS (
        -- One payment a terminal.
        SELECT DISTINCT ON (p.terminal_address)
            c.number, c.worker, c.token, c.lease_ms, p.id, p.terminal_address
        FROM json_to_recordset(p_calls)
            AS c(number integer, payment_id text, worker text, token text, lease_ms bigint)
        CROSS JOIN {_PAYMENT}
        WHERE p.id = ANY(v_ids) AND p.deadline_at > {NOW}
        ORDER BY p.terminal_address, c.number
    ), granted AS (
        UPDATE terminal_locks l SET held_by = c.id, worker = c.worker, epoch = l.epoch + 1, claim = c.token,
            acquired_at = {NOW}, lease_until = {NOW} + c.lease_ms
        FROM chosen c WHERE l.address = c.terminal_address AND l.held_by IS NULL
        RETURNING c.number, c.id, c.worker, l.epoch, l.echoes, l.identifies, l.identify_first
    ), moved AS (
        UPDATE payments p SET state = 'in_session', claimed_at = {NOW}, worker = g.worker, epoch = g.epoch
        FROM granted g WHERE p.id = g.id AND {STATE} = 'queued'
        RETURNING p AS claimed, g.*
    ), history AS (
        INSERT INTO payment_events (payment_id, at, event, state, detail)
        SELECT m.id, {NOW}, 'claimed', 'in_session',
            format('{{"worker":%s,"epoch":%s,"terminal_address":%s}}',
                to_json(m.worker), m.epoch, to_json((m.claimed).terminal_address))
        FROM moved m
    )
    SELECT m.number, m.claimed, m.epoch, m.echoes, m.identifies, m.identify_first FROM moved m;

    -- Without the error such a terminal would stay locked for a payment that no run has.
    PERFORM FROM terminal_locks l WHERE l.address = ANY(v_addresses) AND l.held_by IS NOT NULL
        AND NOT EXISTS (SELECT FROM payments p
            WHERE p.id = l.held_by AND {STATE} = 'in_session' AND p.epoch = l.epoch);
    IF FOUND THEN
        RAISE EXCEPTION 'a lock without its payment' USING ERRCODE = '{UNUSUAL}';
    END IF;
END
$function$
""",
)

TOGETHER: Final = Statement(
    "SELECT {payment}, profile, traceparent, terminal_address AS address, lock_epoch AS epoch,"
    " lock_echoes AS echoes, lock_identifies AS identifies, lock_identify_first AS identify_first, number"
    " FROM (SELECT (called.claimed).*, called.lock_epoch, called.lock_echoes, called.lock_identifies,"
    " called.lock_identify_first, called.number FROM ct_claim_batch_v1(CAST(:calls AS json)) called) claimed"
)
