-- response_hours_90d: seconds between two moments

-- answered_tile
SELECT e.account_id, d.slice_start, e.kv, CAST(SUM(1) AS BIGINT) AS v0, CAST(SUM(seconds) AS BIGINT) AS v1
FROM (
  SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (
    SELECT account_id, (CAST(first_response_at AS DATE) - DATE '1970-01-01') AS day, COALESCE((CAST(recorded_at AS DATE) - DATE '1970-01-01'), COALESCE(CASE WHEN (CAST(first_response_at AS DATE) - DATE '1970-01-01') > (CAST(opened_at AS DATE) - DATE '1970-01-01') THEN (CAST(first_response_at AS DATE) - DATE '1970-01-01') ELSE (CAST(opened_at AS DATE) - DATE '1970-01-01') END + 0, (CAST(first_response_at AS DATE) - DATE '1970-01-01') + 0)) AS known_day, CAST(EXTRACT(EPOCH
        FROM (first_response_at - opened_at)) AS BIGINT) AS seconds
    FROM raw.tickets
    WHERE first_response_at IS NOT NULL AND first_response_at >= DATE '2023-07-03' AND first_response_at >= opened_at) e
  JOIN day_first s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) e
JOIN day_slice d ON d.stream = 'answered' AND d.on_day = e.day
GROUP BY e.account_id, d.slice_start, e.kv

-- answered_windows
SELECT account_id, k, SUM(CASE WHEN (band <= 90) THEN v0 ELSE 0 END) AS answered_rows_90, SUM(CASE WHEN (band <= 90) THEN v1 ELSE 0 END) AS answered_seconds_90
FROM (
  SELECT s.account_id, p.k, p.band, s.v0 AS v0, s.v1 AS v1
  FROM answered_tile s
  JOIN slice_span p ON p.stream = 'answered' AND p.slice_start = s.slice_start AND p.k >= s.kv
  AND (band <= 90)
) b
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(CAST(COALESCE(answered_seconds_90, 0) AS DOUBLE) / NULLIF(CAST(COALESCE(answered_rows_90, 0) AS DOUBLE) * 3600, 0) AS DOUBLE) AS "response_hours_90d"
FROM spine
LEFT JOIN attributes attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN answered_windows answered_windows ON answered_windows.account_id = spine.account_id AND answered_windows.k = spine.k
