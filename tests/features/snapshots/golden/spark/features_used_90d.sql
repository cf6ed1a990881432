-- features_used_90d: few things, as bits of words

-- usage_codes
SELECT thing, CAST(FLOOR((place - 1) / 60.0) AS INT) AS word, SHIFTLEFT(CAST(1 AS BIGINT), CAST((place - 1) % 60 AS INT)) AS bit
FROM (SELECT thing, ROW_NUMBER() OVER (ORDER BY thing NULLS LAST) AS place
  FROM (SELECT DISTINCT COALESCE(feature, '0') AS thing
    FROM (SELECT account_id, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(used_on AS DATE)) AS BIGINT)) AS day, COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)), (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(used_on AS DATE)) AS BIGINT)) + 0) AS known_day, feature
      FROM usage AS usage
      WHERE NOT used_on IS NULL AND used_on >= CAST('2023-07-03' AS DATE) AND TRUE) AS t) AS d) AS numbered

-- usage_tile
SELECT e.account_id, d.slice_start, e.kv, c.word, BIT_OR(CASE WHEN (quantity > 0) AND NOT e.feature IS NULL THEN c.bit ELSE 0 END) AS things
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT account_id, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(used_on AS DATE)) AS BIGINT)) AS day, COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)), (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(used_on AS DATE)) AS BIGINT)) + 0) AS known_day, CAST(ROUND(quantity * 100) AS BIGINT) AS quantity, feature, user_id
    FROM usage AS usage
    WHERE NOT used_on IS NULL AND used_on >= CAST('2023-07-03' AS DATE) AND TRUE) AS e
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
SELECT spine.account_id, spine.k, CAST(COALESCE(usage_feature_90, 0) AS DOUBLE) AS `features_used_90d`
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN usage_windows AS usage_windows ON usage_windows.account_id = spine.account_id AND usage_windows.k = spine.k
