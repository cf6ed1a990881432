-- usage_trend_90d: sums, of which one outgrows 64 bits

-- usage_tile
SELECT e.account_id, d.slice_start, e.kv, CAST(SUM(quantity) AS BIGINT) AS v0, CAST(SUM((quantity) * day) AS BIGINT) AS v1
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT account_id, (CAST((CAST(used_on AS DATE) - CAST('1970-01-01' AS DATE)) AS BIGINT)) AS day, COALESCE((CAST((CAST(recorded_at AS DATE) - CAST('1970-01-01' AS DATE)) AS BIGINT)), (CAST((CAST(used_on AS DATE) - CAST('1970-01-01' AS DATE)) AS BIGINT)) + 0) AS known_day, CAST((FLOOR(ABS(quantity * 100)) * SIGN(quantity * 100) + CASE WHEN ((quantity * 100) - FLOOR(ABS(quantity * 100)) * SIGN(quantity * 100)) >= 0.5 THEN 1 WHEN ((quantity * 100) - FLOOR(ABS(quantity * 100)) * SIGN(quantity * 100)) <= -0.5 THEN -1 ELSE 0 END) AS BIGINT) AS quantity, feature, user_id
    FROM usage AS usage
    WHERE NOT used_on IS NULL AND used_on >= CAST('2023-07-03' AS DATE) AND TRUE) AS e
  JOIN day_first AS s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) AS e
JOIN day_slice AS d ON d.stream = 'usage' AND d.on_day = e.day
GROUP BY e.account_id, d.slice_start, e.kv

-- usage_windows
SELECT account_id, k, SUM(CASE WHEN (band <= 90) THEN v0 ELSE 0 END) AS usage_used_90, SUM(CASE WHEN (band <= 90) THEN v1 ELSE 0 END) AS usage_used_dated_90
FROM (SELECT s.account_id, p.k, p.band, s.v0 AS v0, s.v1 AS v1
  FROM usage_tile AS s
  JOIN slice_span AS p ON p.stream = 'usage' AND p.slice_start = s.slice_start AND p.k >= s.kv AND (band <= 90)) AS b
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(CASE WHEN t - customer_from >= 90 THEN CAST((8100) * (90 * (COALESCE(usage_used_dated_90, 0) - t * COALESCE(usage_used_90, 0)) - (-4095) * COALESCE(usage_used_90, 0)) AS DOUBLE PRECISION) / NULLIF(CAST(COALESCE(usage_used_90, 0) AS DOUBLE PRECISION) * 5466825, 0) END AS DOUBLE PRECISION) AS "usage_trend_90d"
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN usage_windows AS usage_windows ON usage_windows.account_id = spine.account_id AND usage_windows.k = spine.k
