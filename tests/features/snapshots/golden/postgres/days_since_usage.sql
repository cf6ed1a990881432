-- days_since_usage: a last day, from the days of a slice as bits

-- usage_tile
SELECT e.account_id, d.slice_start, e.kv, MAX(CASE WHEN quantity > 0 THEN e.day END) AS last0
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT account_id, (CAST((CAST(used_on AS DATE) - CAST('1970-01-01' AS DATE)) AS BIGINT)) AS day, COALESCE((CAST((CAST(recorded_at AS DATE) - CAST('1970-01-01' AS DATE)) AS BIGINT)), (CAST((CAST(used_on AS DATE) - CAST('1970-01-01' AS DATE)) AS BIGINT)) + 0) AS known_day, CAST((FLOOR(ABS(quantity * 100)) * SIGN(quantity * 100) + CASE WHEN ((quantity * 100) - FLOOR(ABS(quantity * 100)) * SIGN(quantity * 100)) >= 0.5 THEN 1 WHEN ((quantity * 100) - FLOOR(ABS(quantity * 100)) * SIGN(quantity * 100)) <= -0.5 THEN -1 ELSE 0 END) AS BIGINT) AS quantity, feature, user_id
    FROM usage AS usage
    WHERE NOT used_on IS NULL AND used_on >= CAST('2023-04-04' AS DATE) AND TRUE) AS e
  JOIN day_first AS s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) AS e
JOIN day_slice AS d ON d.stream = 'usage' AND d.on_day = e.day
GROUP BY e.account_id, d.slice_start, e.kv

-- usage_windows
SELECT account_id, k, MAX(CASE WHEN (band <= 180) THEN last0 END) AS usage_last_active_180
FROM (SELECT s.account_id, p.k, p.band, s.last0 AS last0
  FROM usage_tile AS s
  JOIN slice_span AS p ON p.stream = 'usage' AND p.slice_start = s.slice_start AND p.k >= s.kv AND (band <= 180)) AS b
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(t - usage_last_active_180 AS DOUBLE PRECISION) AS "days_since_usage"
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN usage_windows AS usage_windows ON usage_windows.account_id = spine.account_id AND usage_windows.k = spine.k
