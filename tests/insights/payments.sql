-- The rows that figures are computed from, by docs/definitions.md, "Rows" and "Days and periods".
-- $currency: the base currency. `input` is the file as it stands.
CREATE TABLE payments AS
WITH repeats_dropped AS (
    SELECT DISTINCT * FROM input WHERE tx_id IS NOT NULL
    UNION ALL
    SELECT * FROM input WHERE tx_id IS NULL
),
believed AS (
    SELECT *
    FROM repeats_dropped
    QUALIFY tx_id IS NULL OR count(*) OVER (PARTITION BY store_id, tx_id) = 1
)
SELECT
    store_id AS store,
    card_id AS card,
    CAST(ts AS TIMESTAMP) AS ts,
    CAST(ts AS DATE) AS day,
    CAST(amount_minor AS BIGINT) AS amount,
    -- As they stand, of those that the file has.
    COLUMNS(lambda name: name IN ('card_company', 'channel', 'payment_method', 'is_foreign', 'installments',
        'points_used', 'country', 'campaign', 'product', 'region', 'category', 'age_band', 'gender', 'segment',
        'fee_minor', 'deposit_minor', 'settles_on')),
FROM believed
WHERE currency = getvariable('currency');
