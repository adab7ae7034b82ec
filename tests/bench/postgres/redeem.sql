-- One call a batch. All rows together if they can, set by set; row by row if they cannot, so that each refused row gets its code.
-- An invoice that is there already stops the plain INSERT: cheaper than ON CONFLICT, which writes a third record for each row.
--
-- Order of locks: vouchers and mandates, then programmes, then accounts. Two batches meet only at the programme's pool, which is
-- why that comes last and is held only for the commit.

-- One row by itself: every rule in order, the first that refuses is the answer; NULL when it is accepted.
CREATE FUNCTION redeem_row(p_provider integer, p_batch bigint, p_voucher bigint, p_amount bigint, p_base bigint, p_total bigint,
                           p_head integer, p_invoice bigint, p_service integer, p_scenario integer, p_day integer, p_evidence uuid,
                           p_today integer, p_now_ms bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v voucher; m mandate; p programme;
BEGIN
    IF p_amount <= 0 OR p_base < 0 THEN RETURN 'AMOUNT'; END IF;
    IF p_day > p_today THEN RETURN 'SERVICE_DAY'; END IF;
    SELECT * INTO v FROM voucher WHERE number = p_voucher FOR UPDATE;
    IF NOT FOUND THEN RETURN 'UNKNOWN_VOUCHER'; END IF;
    IF v.revoked THEN RETURN 'VOUCHER_REVOKED'; END IF;
    IF p_today > v.until_day THEN RETURN 'VOUCHER_EXPIRED'; END IF;
    SELECT * INTO m FROM mandate WHERE voucher = p_voucher AND provider = p_provider FOR UPDATE;
    SELECT * INTO p FROM programme WHERE id = p_voucher / 1000000000 FOR UPDATE;
    IF p_day < p.from_day OR p_day > p.until_day THEN RETURN 'SERVICE_DAY'; END IF;
    IF p_amount > p_base * p.rate_bp / 10000 THEN RETURN 'RATE_EXCEEDED'; END IF;
    IF p_amount > p.cap_claim_fen THEN RETURN 'CAP_CLAIM'; END IF;
    IF m.voucher IS NULL THEN RETURN 'NO_MANDATE'; END IF;
    IF p_now_ms > m.until_ms THEN RETURN 'MANDATE_EXPIRED'; END IF;
    IF p_amount > m.limit_fen - m.spent_fen THEN RETURN 'MANDATE_OVERDRAWN'; END IF;
    IF p_amount > v.face_fen - v.spent_fen THEN RETURN 'VOUCHER_OVERDRAWN'; END IF;
    PERFORM FROM account WHERE holder = v.holder AND programme = p.id AND year IN (0, p_day / 10000) ORDER BY year FOR UPDATE;
    IF EXISTS (SELECT FROM account WHERE holder = v.holder AND programme = p.id AND year IN (0, p_day / 10000) AND cap_fen - used_fen < p_amount) THEN
        RETURN 'CAP';
    END IF;
    IF p_amount > p.pool_fen - p.spent_fen THEN RETURN 'POOL_EXHAUSTED'; END IF;
    INSERT INTO redemption VALUES (p_voucher, p_amount, p_base, p_total, p_invoice, p_batch, p_head, p_provider, p_service, p_scenario, p_day, p_evidence)
        ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN RETURN 'INVOICE_CLAIMED'; END IF;
    UPDATE voucher SET spent_fen = spent_fen + p_amount WHERE number = p_voucher;
    UPDATE mandate SET spent_fen = spent_fen + p_amount WHERE voucher = p_voucher AND provider = p_provider;
    UPDATE account SET used_fen = used_fen + p_amount WHERE holder = v.holder AND programme = p.id AND year IN (0, p_day / 10000);
    UPDATE programme SET spent_fen = spent_fen + p_amount WHERE id = p.id;
    RETURN NULL;
END $$;

CREATE FUNCTION redeem(p_provider integer, p_batch bigint, p_voucher bigint[], p_amount bigint[], p_base bigint[], p_total bigint[],
                       p_head integer[], p_invoice bigint[], p_service integer[], p_scenario integer[], p_day integer[], p_evidence uuid[])
RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    n        CONSTANT bigint := cardinality(p_voucher);
    today    CONSTANT integer := to_char(now() AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD')::integer;
    now_ms   CONSTANT bigint := extract(epoch FROM now()) * 1000;
    the_year CONSTANT integer := p_day[1] / 10000; -- a batch over two years goes row by row
    from_vouchers bigint; from_mandates bigint; done bigint;
    holders integer[]; programmes bigint[]; sums bigint[];
    answer text[];
BEGIN
    INSERT INTO batch VALUES (p_provider, p_batch) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT refused INTO answer FROM batch WHERE provider = p_provider AND id = p_batch;
        RETURN answer;
    END IF;
    BEGIN
        WITH need AS MATERIALIZED (
            SELECT i.voucher, sum(i.amount)::bigint AS amount, count(*) AS items
            FROM unnest(p_voucher, p_amount, p_base, p_day) AS i(voucher, amount, base, day)
            JOIN programme p ON p.id = i.voucher / 1000000000
            WHERE i.amount > 0 AND i.amount <= i.base * p.rate_bp / 10000 AND i.amount <= p.cap_claim_fen
              AND i.day BETWEEN p.from_day AND p.until_day AND i.day <= today AND i.day / 10000 = the_year
            GROUP BY i.voucher
            ORDER BY i.voucher
        ), v AS (
            UPDATE voucher SET spent_fen = spent_fen + need.amount FROM need
            WHERE number = need.voucher AND face_fen - spent_fen >= need.amount AND until_day >= today AND NOT revoked
            RETURNING holder, number / 1000000000 AS programme, need.amount, need.items
        ), m AS (
            UPDATE mandate SET spent_fen = spent_fen + need.amount FROM need
            WHERE mandate.voucher = need.voucher AND provider = p_provider AND limit_fen - spent_fen >= need.amount AND until_ms >= now_ms
            RETURNING need.items
        ), h AS (
            SELECT holder, programme, sum(amount)::bigint AS amount, sum(items) AS items FROM v GROUP BY holder, programme
        )
        SELECT sum(items), (SELECT sum(items) FROM m), array_agg(holder), array_agg(programme), array_agg(amount)
            INTO from_vouchers, from_mandates, holders, programmes, sums FROM h;
        IF from_vouchers IS DISTINCT FROM n OR from_mandates IS DISTINCT FROM n THEN
            RAISE EXCEPTION USING ERRCODE = 'SQ001';
        END IF;
        INSERT INTO redemption (voucher, amount_fen, base_fen, total_fen, invoice, batch, invoice_head, provider, service, scenario, service_day, evidence)
            SELECT i.voucher, i.amount, i.base, i.total, i.invoice, p_batch, i.head, p_provider, i.service, i.scenario, i.day, i.evidence
            FROM unnest(p_voucher, p_amount, p_base, p_total, p_head, p_invoice, p_service, p_scenario, p_day, p_evidence)
                 AS i(voucher, amount, base, total, head, invoice, service, scenario, day, evidence);
        PERFORM FROM programme WHERE id = ANY (programmes) ORDER BY id FOR UPDATE;
        UPDATE programme SET spent_fen = spent_fen + s.amount
            FROM (SELECT i.programme, sum(i.amount)::bigint AS amount FROM unnest(programmes, sums) AS i(programme, amount) GROUP BY 1) s
            WHERE id = s.programme AND pool_fen - spent_fen >= s.amount;
        GET DIAGNOSTICS done = ROW_COUNT;
        IF done <> (SELECT count(DISTINCT i) FROM unnest(programmes) i) THEN
            RAISE EXCEPTION USING ERRCODE = 'SQ001';
        END IF;
        UPDATE account SET used_fen = used_fen + s.amount
            FROM unnest(holders, programmes, sums) AS s(holder, programme, amount)
            WHERE account.holder = s.holder AND account.programme = s.programme AND year IN (0, the_year) AND cap_fen - used_fen >= s.amount;
        GET DIAGNOSTICS done = ROW_COUNT;
        IF done <> 2 * cardinality(holders) THEN
            RAISE EXCEPTION USING ERRCODE = 'SQ001';
        END IF;
        RETURN NULL;
    EXCEPTION WHEN SQLSTATE 'SQ001' OR unique_violation THEN
        NULL; -- nothing of it is left; row by row, then
    END;
    FOR k IN 1 .. n LOOP
        answer[k] := redeem_row(p_provider, p_batch, p_voucher[k], p_amount[k], p_base[k], p_total[k], p_head[k], p_invoice[k],
                                p_service[k], p_scenario[k], p_day[k], p_evidence[k], today, now_ms);
    END LOOP;
    UPDATE batch SET refused = answer WHERE provider = p_provider AND id = p_batch;
    RETURN answer;
END $$;

-- Do the books tie out? Every sum that must be the same, and how many rows.
CREATE FUNCTION books() RETURNS TABLE (items bigint, redeemed numeric, vouchers numeric, mandates numeric, pools numeric, lifetimes numeric, years numeric)
LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM redemption), (SELECT coalesce(sum(amount_fen), 0) FROM redemption), (SELECT sum(spent_fen) FROM voucher),
           (SELECT sum(spent_fen) FROM mandate), (SELECT sum(spent_fen) FROM programme),
           (SELECT sum(used_fen) FROM account WHERE year = 0), (SELECT sum(used_fen) FROM account WHERE year <> 0)
$$;
