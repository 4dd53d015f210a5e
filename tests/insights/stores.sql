-- Who a store is, by docs/definitions.md, "Who a store is". `dimension` is the dimension file, or empty.
CREATE TABLE stores AS
WITH regions AS (
    SELECT store, region
    FROM payments
    WHERE region IS NOT NULL
    GROUP BY store, region
    QUALIFY row_number() OVER (PARTITION BY store ORDER BY count(*) DESC, region) = 1
),
categories AS (
    SELECT store, category
    FROM payments
    WHERE category IS NOT NULL
    GROUP BY store, category
    QUALIFY row_number() OVER (PARTITION BY store ORDER BY count(*) DESC, category) = 1
)
SELECT
    store,
    merchant_id AS merchant,
    coalesce(dimension.region, regions.region) AS region,
    coalesce(dimension.category, categories.category) AS category,
FROM (SELECT DISTINCT store FROM payments)
LEFT JOIN dimension ON store_id = store
LEFT JOIN regions USING (store)
LEFT JOIN categories USING (store);
