-- champion_days_since_use: rows of certain people, known once both are

-- champion_use_tile
SELECT e.account_id, d.slice_start, e.kv, MAX(CASE WHEN quantity > 0 THEN e.day END) AS last0
FROM (
  SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (
    SELECT r.account_id, r.day, GREATEST(r.known_day, p.met_day) AS known_day, r.quantity
    FROM (
      SELECT account_id, (CAST(used_on AS DATE) - DATE '1970-01-01') AS day, COALESCE((CAST(recorded_at AS DATE) - DATE '1970-01-01'), (CAST(used_on AS DATE) - DATE '1970-01-01') + 0) AS known_day, CAST(ROUND(quantity * 100) AS BIGINT) AS quantity, user_id_text AS hf_person
      FROM raw.usage
      WHERE used_on IS NOT NULL AND used_on >= DATE '2023-04-04' AND TRUE) r
    JOIN (SELECT account_id, user_id AS person, MIN(GREATEST(COALESCE((CAST(joined_on AS DATE) - DATE '1970-01-01'), -2000000), COALESCE((CAST(recorded_at AS DATE) - DATE '1970-01-01'), COALESCE((CAST(joined_on AS DATE) - DATE '1970-01-01'), -2000000) + 0))) AS met_day
      FROM raw.contacts
      WHERE user_id IS NOT NULL AND REPLACE(REPLACE(LOWER(TRIM(role)), ' ', '_'), '-', '_') IN ('champion') AND COALESCE(REPLACE(REPLACE(LOWER(TRIM(side)), ' ', '_'), '-', '_'), 'customer') <> 'vendor'
      GROUP BY account_id, user_id) p ON p.account_id = r.account_id AND p.person = r.hf_person) e
  JOIN day_first s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) e
JOIN day_slice d ON d.stream = 'champion_use' AND d.on_day = e.day
GROUP BY e.account_id, d.slice_start, e.kv

-- champion_use_windows
SELECT account_id, k, MAX(CASE WHEN (band <= 180) THEN last0 END) AS champion_use_last_active_180
FROM (
  SELECT s.account_id, p.k, p.band, s.last0 AS last0
  FROM champion_use_tile s
  JOIN slice_span p ON p.stream = 'champion_use' AND p.slice_start = s.slice_start AND p.k >= s.kv
  AND (band <= 180)
) b
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(t - champion_use_last_active_180 AS DOUBLE) AS "champion_days_since_use"
FROM spine
LEFT JOIN attributes attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN champion_use_windows champion_use_windows ON champion_use_windows.account_id = spine.account_id AND champion_use_windows.k = spine.k
