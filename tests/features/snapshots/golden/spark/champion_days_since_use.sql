-- champion_days_since_use: rows of certain people, known once both are

-- champion_use_tile
SELECT e.account_id, d.slice_start, e.kv, MAX(CASE WHEN quantity > 0 THEN e.day END) AS last0
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT r.account_id, r.day, GREATEST(r.known_day, p.met_day) AS known_day, r.quantity
    FROM (SELECT account_id, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(used_on AS DATE)) AS BIGINT)) AS day, COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)), (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(used_on AS DATE)) AS BIGINT)) + 0) AS known_day, CAST(ROUND(quantity * 100) AS BIGINT) AS quantity, user_id_text AS hf_person
      FROM usage AS usage
      WHERE NOT used_on IS NULL AND used_on >= CAST('2023-04-04' AS DATE) AND TRUE) AS r
    JOIN (SELECT account_id, user_id AS person, MIN(GREATEST(COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(joined_on AS DATE)) AS BIGINT)), -2000000), COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)), COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(joined_on AS DATE)) AS BIGINT)), -2000000) + 0))) AS met_day
      FROM contacts AS contacts
      WHERE NOT user_id IS NULL AND REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(BOTH '                　'
                  FROM role), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_') IN ('champion') AND COALESCE(REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(BOTH '                　'
                    FROM side), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_'), 'customer') <> 'vendor'
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
SELECT spine.account_id, spine.k, CAST(t - champion_use_last_active_180 AS DOUBLE) AS `champion_days_since_use`
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN champion_use_windows AS champion_use_windows ON champion_use_windows.account_id = spine.account_id AND champion_use_windows.k = spine.k
