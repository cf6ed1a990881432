-- other_features_share_180d: sums of each of few things, and the largest of them

-- use_of_each_feature_sums_tile
SELECT e.account_id, d.slice_start, e.kv, e.feature, CAST(SUM(quantity) AS BIGINT) AS v0
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT account_id, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(used_on AS DATE)) AS BIGINT)) AS day, COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)), (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(used_on AS DATE)) AS BIGINT)) + 0) AS known_day, CAST(ROUND(quantity * 100) AS BIGINT) AS quantity, feature, user_id
    FROM usage AS usage
    WHERE NOT used_on IS NULL AND used_on >= CAST('2023-04-04' AS DATE) AND TRUE) AS e
  JOIN day_first AS s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) AS e
JOIN day_slice AS d ON d.stream = 'use_of_each' AND d.on_day = e.day
WHERE NOT e.feature IS NULL AND quantity > 0
GROUP BY e.account_id, d.slice_start, e.kv, e.feature

-- use_of_each_feature_sums
SELECT account_id, k, CAST(SUM(v0_180) AS BIGINT) AS use_of_each_used_all_180, CAST(MAX(v0_180) AS BIGINT) AS use_of_each_used_largest_180
FROM (SELECT s.account_id, p.k, SUM(CASE WHEN (band <= 180) THEN s.v0 ELSE 0 END) AS v0_180
  FROM use_of_each_feature_sums_tile AS s
  JOIN slice_span AS p ON p.stream = 'use_of_each' AND p.slice_start = s.slice_start AND p.k >= s.kv AND (band <= 180)
  GROUP BY s.account_id, p.k, s.feature) AS each_thing
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(CAST((use_of_each_used_all_180 - use_of_each_used_largest_180) AS DOUBLE) / NULLIF(CAST(use_of_each_used_all_180 AS DOUBLE), 0) AS DOUBLE) AS `other_features_share_180d`
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN use_of_each_feature_sums AS use_of_each_feature_sums ON use_of_each_feature_sums.account_id = spine.account_id AND use_of_each_feature_sums.k = spine.k
