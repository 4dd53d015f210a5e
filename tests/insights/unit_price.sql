-- docs/definitions.md, "Unit price": each store and business day that has sales.
CREATE VIEW price_of_day AS
SELECT
    store,
    day,
    count(*) AS sales_count,
    CAST(sum(amount) AS BIGINT) AS sales_sum,
    count(DISTINCT card) AS cards,
FROM payments
WHERE amount > 0
GROUP BY ALL;

-- The same over the seven days before each day.
CREATE VIEW price_of_trailing AS
WITH visits AS (
    SELECT DISTINCT store, card, day FROM payments WHERE amount > 0 AND card IS NOT NULL
),
dates AS (
    SELECT CAST(unnest(generate_series(min(day), max(day) + 7, INTERVAL 1 DAY)) AS DATE) AS date
    FROM payments
),
sales AS (
    SELECT
        store,
        date,
        count(*) AS sales_count,
        CAST(sum(amount) AS BIGINT) AS sales_sum,
        count(DISTINCT card) AS cards,
    FROM payments JOIN dates ON day BETWEEN date - 7 AND date - 1
    WHERE amount > 0
    GROUP BY ALL
),
buyers AS (
    SELECT store, date, count(*) AS card_days
    FROM visits JOIN dates ON day BETWEEN date - 7 AND date - 1
    GROUP BY ALL
)
SELECT sales.*, coalesce(card_days, 0) AS card_days
FROM sales LEFT JOIN buyers USING (store, date);

-- The same over any range.
CREATE MACRO price_of_range(first_day, last_day) AS TABLE
SELECT
    store,
    count(*) AS sales_count,
    CAST(sum(amount) AS BIGINT) AS sales_sum,
    count(DISTINCT card) AS cards,
FROM payments
WHERE amount > 0 AND day BETWEEN first_day AND last_day
GROUP BY ALL;
