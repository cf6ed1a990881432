-- invites_28d: declared in the settings: words where the engine has a key

-- own_usage_f3bd3a1c_tile
SELECT e.account_id, d.slice_start, e.kv, CAST(SUM(1) AS INTEGER) AS v0
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT account_id, ((((used_on - (used_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) AS day, COALESCE(((((recorded_at - (recorded_at % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)), ((((used_on - (used_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) + 0) AS known_day
    FROM raw_usage AS usage
    WHERE NOT used_on IS NULL AND used_on >= 1693699200000000 AND quantity > 0 AND REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(feature_text, '                　'), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_') IN (REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM('Invite Sent', '                　'), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_'))) AS e
  JOIN day_first AS s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) AS e
JOIN day_slice AS d ON d.stream = 'own_usage_f3bd3a1c' AND d.on_day = e.day
GROUP BY e.account_id, d.slice_start, e.kv

-- own_usage_f3bd3a1c_windows
SELECT account_id, k, SUM(CASE WHEN (band <= 28) THEN v0 ELSE 0 END) AS own_usage_f3bd3a1c_rows_28
FROM (SELECT s.account_id, p.k, p.band, s.v0 AS v0
  FROM own_usage_f3bd3a1c_tile AS s
  JOIN slice_span AS p ON p.stream = 'own_usage_f3bd3a1c' AND p.slice_start = s.slice_start AND p.k >= s.kv AND (band <= 28)) AS b
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(COALESCE(own_usage_f3bd3a1c_rows_28, 0) AS REAL) AS "invites_28d"
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN own_usage_f3bd3a1c_windows AS own_usage_f3bd3a1c_windows ON own_usage_f3bd3a1c_windows.account_id = spine.account_id AND own_usage_f3bd3a1c_windows.k = spine.k
