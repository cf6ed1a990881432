-- days_since_usage: a last day, from the days of a slice as bits

-- usage_tile
SELECT e.account_id, d.slice_start, e.kv, MAX(CASE WHEN quantity > 0 THEN e.day END) AS last0
FROM (
  SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (
    SELECT account_id, (CAST(used_on AS DATE) - DATE '1970-01-01') AS day, COALESCE((CAST(recorded_at AS DATE) - DATE '1970-01-01'), (CAST(used_on AS DATE) - DATE '1970-01-01') + 0) AS known_day, CAST(ROUND(quantity * 100) AS BIGINT) AS quantity, feature, user_id
    FROM raw.usage
    WHERE used_on IS NOT NULL AND used_on >= DATE '2023-04-04' AND TRUE) e
  JOIN day_first s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) e
JOIN day_slice d ON d.stream = 'usage' AND d.on_day = e.day
GROUP BY e.account_id, d.slice_start, e.kv

-- usage_windows
SELECT account_id, k, MAX(CASE WHEN (band <= 180) THEN last0 END) AS usage_last_active_180
FROM (
  SELECT s.account_id, p.k, p.band, s.last0 AS last0
  FROM usage_tile s
  JOIN slice_span p ON p.stream = 'usage' AND p.slice_start = s.slice_start AND p.k >= s.kv
  AND (band <= 180)
) b
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(t - usage_last_active_180 AS DOUBLE) AS "days_since_usage"
FROM spine
LEFT JOIN attributes attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN usage_windows usage_windows ON usage_windows.account_id = spine.account_id AND usage_windows.k = spine.k
