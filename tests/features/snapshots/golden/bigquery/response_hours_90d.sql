-- response_hours_90d: seconds between two moments

-- answered_tile
SELECT e.account_id, d.slice_start, e.kv, CAST(SUM(1) AS INT64) AS v0, CAST(SUM(seconds) AS INT64) AS v1
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT account_id, (CAST(DATE_DIFF(CAST(first_response_at AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) AS day, COALESCE((CAST(DATE_DIFF(CAST(recorded_at AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)), COALESCE(CASE WHEN (CAST(DATE_DIFF(CAST(first_response_at AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) > (CAST(DATE_DIFF(CAST(opened_at AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) THEN (CAST(DATE_DIFF(CAST(first_response_at AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) ELSE (CAST(DATE_DIFF(CAST(opened_at AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) END + 0, (CAST(DATE_DIFF(CAST(first_response_at AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) + 0)) AS known_day, (CAST(FLOOR(DATETIME_DIFF(first_response_at, opened_at, MICROSECOND) / 1000000.0) AS INT64) + CASE WHEN MOD(DATETIME_DIFF(first_response_at, opened_at, MICROSECOND), 1000000) > 500000 OR (MOD(DATETIME_DIFF(first_response_at, opened_at, MICROSECOND), 1000000) = 500000 AND MOD(CAST(FLOOR(DATETIME_DIFF(first_response_at, opened_at, MICROSECOND) / 1000000.0) AS INT64), 2) = 1) THEN 1 ELSE 0 END) AS seconds
    FROM tickets AS tickets
    WHERE NOT first_response_at IS NULL AND first_response_at >= CAST('2023-07-03' AS DATE) AND first_response_at >= opened_at) AS e
  JOIN day_first AS s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) AS e
JOIN day_slice AS d ON d.stream = 'answered' AND d.on_day = e.day
GROUP BY e.account_id, d.slice_start, e.kv

-- answered_windows
SELECT account_id, k, SUM(CASE WHEN (band <= 90) THEN v0 ELSE 0 END) AS answered_rows_90, SUM(CASE WHEN (band <= 90) THEN v1 ELSE 0 END) AS answered_seconds_90
FROM (SELECT s.account_id, p.k, p.band, s.v0 AS v0, s.v1 AS v1
  FROM answered_tile AS s
  JOIN slice_span AS p ON p.stream = 'answered' AND p.slice_start = s.slice_start AND p.k >= s.kv AND (band <= 90)) AS b
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(CAST(COALESCE(CAST(answered_seconds_90 AS BIGNUMERIC), 0) AS FLOAT64) / NULLIF(CAST(COALESCE(CAST(answered_rows_90 AS BIGNUMERIC), 0) AS FLOAT64) * 3600, 0) AS FLOAT64) AS `response_hours_90d`
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN answered_windows AS answered_windows ON answered_windows.account_id = spine.account_id AND answered_windows.k = spine.k
