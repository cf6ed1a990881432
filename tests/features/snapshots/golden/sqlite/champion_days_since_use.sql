-- champion_days_since_use: rows of certain people, known once both are

-- champion_use_tile
SELECT e.account_id, d.slice_start, e.kv, MAX(CASE WHEN quantity > 0 THEN e.day END) AS last0
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT r.account_id, r.day, MAX(COALESCE(r.known_day, p.met_day), COALESCE(p.met_day, r.known_day)) AS known_day, r.quantity
    FROM (SELECT account_id, ((((used_on - (used_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) AS day, COALESCE(((((recorded_at - (recorded_at % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)), ((((used_on - (used_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) + 0) AS known_day, CAST((CAST(quantity * 100 AS INTEGER) + CASE WHEN (quantity * 100 - CAST(quantity * 100 AS INTEGER)) >= 0.5 THEN 1 WHEN (quantity * 100 - CAST(quantity * 100 AS INTEGER)) <= -0.5 THEN -1 ELSE 0 END) AS INTEGER) AS quantity, user_id_text AS hf_person
      FROM raw_usage AS usage
      WHERE NOT used_on IS NULL AND used_on >= 1680566400000000 AND TRUE) AS r
    JOIN (SELECT account_id, user_id AS person, MIN(MAX(COALESCE(COALESCE(((((joined_on - (joined_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)), -2000000), COALESCE(((((recorded_at - (recorded_at % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)), COALESCE(((((joined_on - (joined_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)), -2000000) + 0)), COALESCE(COALESCE(((((recorded_at - (recorded_at % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)), COALESCE(((((joined_on - (joined_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)), -2000000) + 0), COALESCE(((((joined_on - (joined_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)), -2000000)))) AS met_day
      FROM raw_contacts AS contacts
      WHERE NOT user_id IS NULL AND REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(role, '                　'), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_') IN ('champion') AND COALESCE(REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(side, '                　'), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_'), 'customer') <> 'vendor'
      GROUP BY account_id, user_id) AS p ON p.account_id = r.account_id AND p.person = r.hf_person) AS e
  JOIN day_first AS s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) AS e
JOIN day_slice AS d ON d.stream = 'champion_use' AND d.on_day = e.day
GROUP BY e.account_id, d.slice_start, e.kv

-- champion_use_windows
SELECT account_id, k, MAX(CASE WHEN (band <= 180) THEN last0 END) AS champion_use_last_active_180
FROM (SELECT s.account_id, p.k, p.band, s.last0 AS last0
  FROM champion_use_tile AS s
  JOIN slice_span AS p ON p.stream = 'champion_use' AND p.slice_start = s.slice_start AND p.k >= s.kv AND (band <= 180)) AS b
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(t - champion_use_last_active_180 AS REAL) AS "champion_days_since_use"
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN champion_use_windows AS champion_use_windows ON champion_use_windows.account_id = spine.account_id AND champion_use_windows.k = spine.k
