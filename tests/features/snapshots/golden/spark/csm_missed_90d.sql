-- csm_missed_90d: text in any spelling

-- csm_tile
SELECT e.account_id, d.slice_start, e.kv, CAST(SUM(CASE WHEN status = 'missed' THEN 1 ELSE 0 END) AS BIGINT) AS v0
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT account_id, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(acted_on AS DATE)) AS BIGINT)) AS day, COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)), (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(acted_on AS DATE)) AS BIGINT)) + 0) AS known_day, REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(BOTH '                　'
                FROM status), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_') AS status, REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(BOTH '                　'
                FROM process), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_') AS process, REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(BOTH '                　'
                FROM playbook), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_') AS playbook, CAST(DATEDIFF(DAY, CAST(planned_on AS DATE), CAST(acted_on AS DATE)) AS BIGINT) AS days_late
    FROM csm_actions AS csm_actions
    WHERE NOT acted_on IS NULL AND acted_on >= CAST('2023-07-03' AS DATE) AND TRUE) AS e
  JOIN day_first AS s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) AS e
JOIN day_slice AS d ON d.stream = 'csm' AND d.on_day = e.day
GROUP BY e.account_id, d.slice_start, e.kv

-- csm_windows
SELECT account_id, k, SUM(CASE WHEN (band <= 90) THEN v0 ELSE 0 END) AS csm_missed_90
FROM (SELECT s.account_id, p.k, p.band, s.v0 AS v0
  FROM csm_tile AS s
  JOIN slice_span AS p ON p.stream = 'csm' AND p.slice_start = s.slice_start AND p.k >= s.kv AND (band <= 90)) AS b
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(COALESCE(csm_missed_90, 0) AS DOUBLE) AS `csm_missed_90d`
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN csm_windows AS csm_windows ON csm_windows.account_id = spine.account_id AND csm_windows.k = spine.k
