-- The same books as a node keeps, as tables: programmes with their pools, vouchers, mandates, what holders have used, redemptions.
--
-- Rows that are updated again and again leave room in their pages (fillfactor) and have no index on what changes, so that updates
-- are heap-only (HOT). Once they are filled the factor goes to 100: it is also the free space below which a page is pruned on
-- every access, and pages had better be pruned when they are full. No index is here but those that a rule needs. Evidence is
-- 16 bytes, which uuid stores without a length.

CREATE TABLE programme (
    id            bigint PRIMARY KEY,      -- issuer and number, as in the voucher's number
    rate_bp       integer NOT NULL,
    from_day      integer NOT NULL,
    until_day     integer NOT NULL,
    cap_claim_fen bigint NOT NULL,
    pool_fen      bigint NOT NULL,
    spent_fen     bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

CREATE TABLE voucher (
    number    bigint NOT NULL,
    face_fen  bigint NOT NULL,
    spent_fen bigint NOT NULL DEFAULT 0,
    holder    integer NOT NULL,
    until_day integer NOT NULL,
    revoked   boolean NOT NULL DEFAULT false
) WITH (fillfactor = 60);

CREATE TABLE mandate (
    voucher   bigint NOT NULL,
    limit_fen bigint NOT NULL,
    spent_fen bigint NOT NULL DEFAULT 0,
    until_ms  bigint NOT NULL,
    provider  integer NOT NULL
) WITH (fillfactor = 60);

CREATE TABLE account (                     -- what one holder has used under one programme; year 0: ever
    programme bigint NOT NULL,
    cap_fen   bigint NOT NULL,
    used_fen  bigint NOT NULL DEFAULT 0,
    holder    integer NOT NULL,
    year      integer NOT NULL,
    PRIMARY KEY (holder, programme, year)
) WITH (fillfactor = 20);

CREATE TABLE batch (                       -- the same id again gets the stored answer
    provider integer NOT NULL,
    id       bigint NOT NULL,
    refused  text[],                       -- a code a row; NULL: every row was accepted
    PRIMARY KEY (provider, id)
);

CREATE TABLE redemption (
    voucher      bigint NOT NULL,
    amount_fen   bigint NOT NULL,
    base_fen     bigint NOT NULL,
    total_fen    bigint NOT NULL,
    invoice      bigint NOT NULL,          -- the last 15 of its 20 digits
    batch        bigint NOT NULL,
    invoice_head integer NOT NULL,         -- the first 5
    provider     integer NOT NULL,
    service      integer NOT NULL,
    scenario     integer NOT NULL,
    service_day  integer NOT NULL,
    evidence     uuid NOT NULL
);

-- One programme of 30 %, vouchers dealt to providers in turn as in tests/support/market.c.
CREATE FUNCTION seed(p_programme bigint, p_vouchers integer, p_providers integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO programme VALUES (p_programme, 3000, 20260101, 20991231, 1000000000, 2305843009213693951);
    INSERT INTO voucher
        SELECT p_programme * 1000000000 + s, 100000000000, 0, (s - 1) / 8192, 20991231, false FROM generate_series(1, p_vouchers) s;
    INSERT INTO mandate
        SELECT p_programme * 1000000000 + s, 100000000000, 0, 9223372036854775807, (s - 1) % p_providers FROM generate_series(1, p_vouchers) s;
    INSERT INTO account
        SELECT p_programme, 2305843009213693951, 0, h, y
        FROM generate_series(0, (p_vouchers - 1) / 8192) h, unnest(ARRAY[0, extract(year FROM now() AT TIME ZONE 'Asia/Shanghai')::integer]) y;
    ALTER TABLE voucher SET (fillfactor = 100);
    ALTER TABLE mandate SET (fillfactor = 100);
    ALTER TABLE voucher ADD PRIMARY KEY (number);
    ALTER TABLE mandate ADD PRIMARY KEY (voucher, provider);
    CREATE UNIQUE INDEX redemption_invoice ON redemption (invoice_head, invoice);
END $$;
