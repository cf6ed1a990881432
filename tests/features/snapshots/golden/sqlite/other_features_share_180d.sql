-- other_features_share_180d: sums of each of few things, and the largest of them

-- use_of_each_feature_sums_tile
SELECT e.account_id, d.slice_start, e.kv, e.feature, CAST(SUM(quantity) AS INTEGER) AS v0
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT account_id, ((((used_on - (used_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) AS day, COALESCE(((((recorded_at - (recorded_at % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)), ((((used_on - (used_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) + 0) AS known_day, CAST((CAST(quantity * 100 AS INTEGER) + CASE WHEN (quantity * 100 - CAST(quantity * 100 AS INTEGER)) >= 0.5 THEN 1 WHEN (quantity * 100 - CAST(quantity * 100 AS INTEGER)) <= -0.5 THEN -1 ELSE 0 END) AS INTEGER) AS quantity, feature, user_id
    FROM raw_usage AS usage
    WHERE NOT used_on IS NULL AND used_on >= 1680566400000000 AND TRUE) AS e
  JOIN day_first AS s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) AS e
JOIN day_slice AS d ON d.stream = 'use_of_each' AND d.on_day = e.day
WHERE NOT e.feature IS NULL AND quantity > 0
GROUP BY e.account_id, d.slice_start, e.kv, e.feature

-- use_of_each_feature_sums
SELECT account_id, k, CAST(SUM(v0_180) AS INTEGER) AS use_of_each_used_all_180, CAST(MAX(v0_180) AS INTEGER) AS use_of_each_used_largest_180
FROM (SELECT s.account_id, p.k, SUM(CASE WHEN (band <= 180) THEN s.v0 ELSE 0 END) AS v0_180
  FROM use_of_each_feature_sums_tile AS s
  JOIN slice_span AS p ON p.stream = 'use_of_each' AND p.slice_start = s.slice_start AND p.k >= s.kv AND (band <= 180)
  GROUP BY s.account_id, p.k, s.feature) AS each_thing
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(CAST((use_of_each_used_all_180 - use_of_each_used_largest_180) AS REAL) / NULLIF(CAST(use_of_each_used_all_180 AS REAL), 0) AS REAL) AS "other_features_share_180d"
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN use_of_each_feature_sums AS use_of_each_feature_sums ON use_of_each_feature_sums.account_id = spine.account_id AND use_of_each_feature_sums.k = spine.k
