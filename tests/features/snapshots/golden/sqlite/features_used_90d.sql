-- features_used_90d: few things, as bits of words

-- usage_codes
SELECT thing, CAST(FLOOR(CAST((place - 1) AS REAL) / 60.0) AS INTEGER) AS word, CAST(1 AS INTEGER) << CAST((place - 1) % 60 AS INTEGER) AS bit
FROM (SELECT thing, ROW_NUMBER() OVER (ORDER BY thing NULLS LAST) AS place
  FROM (SELECT DISTINCT COALESCE(feature, '0') AS thing
    FROM (SELECT feature
      FROM raw_keys_feature AS keys_feature
      UNION ALL SELECT NULL AS feature) AS t) AS d) AS numbered

-- usage_tile
SELECT e.account_id, d.slice_start, e.kv, c.word, BIT_OR(CASE WHEN (quantity > 0) AND NOT e.feature IS NULL THEN c.bit ELSE 0 END) AS things
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT account_id, ((((used_on - (used_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) AS day, COALESCE(((((recorded_at - (recorded_at % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)), ((((used_on - (used_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) + 0) AS known_day, CAST((CAST(quantity * 100 AS INTEGER) + CASE WHEN (quantity * 100 - CAST(quantity * 100 AS INTEGER)) >= 0.5 THEN 1 WHEN (quantity * 100 - CAST(quantity * 100 AS INTEGER)) <= -0.5 THEN -1 ELSE 0 END) AS INTEGER) AS quantity, feature, user_id
    FROM raw_usage AS usage
    WHERE NOT used_on IS NULL AND used_on >= 1688342400000000 AND TRUE) AS e
  JOIN day_first AS s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) AS e
JOIN day_slice AS d ON d.stream = 'usage' AND d.on_day = e.day
JOIN usage_codes AS c ON c.thing = COALESCE(e.feature, '0')
GROUP BY e.account_id, d.slice_start, e.kv, c.word

-- usage_windows
SELECT account_id, k, SUM(usage_feature_90) AS usage_feature_90
FROM (SELECT account_id, k, BIT_COUNT(BIT_OR(CASE WHEN (band <= 90) THEN things ELSE 0 END)) AS usage_feature_90
  FROM (SELECT s.account_id, p.k, p.band, s.word, s.things AS things
    FROM usage_tile AS s
    JOIN slice_span AS p ON p.stream = 'usage' AND p.slice_start = s.slice_start AND p.k >= s.kv AND (band <= 90)) AS b
  GROUP BY account_id, k, word) AS w
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(COALESCE(usage_feature_90, 0) AS REAL) AS "features_used_90d"
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN usage_windows AS usage_windows ON usage_windows.account_id = spine.account_id AND usage_windows.k = spine.k
