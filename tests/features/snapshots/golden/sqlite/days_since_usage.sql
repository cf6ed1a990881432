-- days_since_usage: a last day, from the days of a slice as bits

-- usage_tile
SELECT e.account_id, d.slice_start, e.kv, MAX(CASE WHEN quantity > 0 THEN e.day END) AS last0
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT account_id, ((((used_on - (used_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) AS day, COALESCE(((((recorded_at - (recorded_at % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)), ((((used_on - (used_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) + 0) AS known_day, CAST((CAST(quantity * 100 AS INTEGER) + CASE WHEN (quantity * 100 - CAST(quantity * 100 AS INTEGER)) >= 0.5 THEN 1 WHEN (quantity * 100 - CAST(quantity * 100 AS INTEGER)) <= -0.5 THEN -1 ELSE 0 END) AS INTEGER) AS quantity, feature, user_id
    FROM raw_usage AS usage
    WHERE NOT used_on IS NULL AND used_on >= 1680566400000000 AND TRUE) AS e
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
SELECT spine.account_id, spine.k, CAST(t - usage_last_active_180 AS REAL) AS "days_since_usage"
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN usage_windows AS usage_windows ON usage_windows.account_id = spine.account_id AND usage_windows.k = spine.k
