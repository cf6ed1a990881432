-- expansions_365d: each contract line beside the one before it

-- step_columns
SELECT account_id, k, SUM(CASE WHEN starts > t - 365 AND (COALESCE(kind, '') IN ('upsell', 'cross_sell') OR ((continues = 1 AND mrr_micros > before_mrr_micros) AND NOT COALESCE(kind, '') = 'price_change')) THEN 1 ELSE 0 END) AS step_expansions
FROM lines
WHERE starts <= t
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(COALESCE(step_expansions, 0) AS DOUBLE) AS `expansions_365d`
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN step_columns AS step_columns ON step_columns.account_id = spine.account_id AND step_columns.k = spine.k
