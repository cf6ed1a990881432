-- deciders_unanswered_180d: what was sent, known before its answer

-- decider_answered_tile
SELECT e.account_id, d.slice_start, e.kv, CAST(SUM(1) AS INT64) AS v0
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT account_id, (CAST(DATE_DIFF(CAST(responded_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) AS day, COALESCE((CAST(DATE_DIFF(CAST(recorded_at AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)), (CAST(DATE_DIFF(CAST(responded_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) + 0) AS known_day
    FROM surveys AS surveys
    WHERE NOT responded_on IS NULL AND responded_on >= CAST('2023-04-04' AS DATE) AND NOT sent_on IS NULL AND REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(respondent_role, '                　'), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_') IN ('decision_maker', 'executive_sponsor', 'executive', 'sponsor')) AS e
  JOIN day_first AS s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) AS e
JOIN day_slice AS d ON d.stream = 'decider_answered' AND d.on_day = e.day
GROUP BY e.account_id, d.slice_start, e.kv

-- decider_answered_windows
SELECT account_id, k, SUM(CASE WHEN (band <= 180) THEN v0 ELSE 0 END) AS decider_answered_rows_180
FROM (SELECT s.account_id, p.k, p.band, s.v0 AS v0
  FROM decider_answered_tile AS s
  JOIN slice_span AS p ON p.stream = 'decider_answered' AND p.slice_start = s.slice_start AND p.k >= s.kv AND (band <= 180)) AS b
GROUP BY account_id, k

-- decider_sent_tile
SELECT e.account_id, d.slice_start, e.kv, CAST(SUM(1) AS INT64) AS v0
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT account_id, (CAST(DATE_DIFF(CAST(sent_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) AS day, COALESCE((CAST(DATE_DIFF(CAST(recorded_at AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)), (CAST(DATE_DIFF(CAST(sent_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) + 0) AS known_day
    FROM surveys AS surveys
    WHERE NOT sent_on IS NULL AND sent_on >= CAST('2023-04-04' AS DATE) AND NOT sent_on IS NULL AND REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(respondent_role, '                　'), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_') IN ('decision_maker', 'executive_sponsor', 'executive', 'sponsor')) AS e
  JOIN day_first AS s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) AS e
JOIN day_slice AS d ON d.stream = 'decider_sent' AND d.on_day = e.day
GROUP BY e.account_id, d.slice_start, e.kv

-- decider_sent_windows
SELECT account_id, k, SUM(CASE WHEN (band <= 180) THEN v0 ELSE 0 END) AS decider_sent_rows_180
FROM (SELECT s.account_id, p.k, p.band, s.v0 AS v0
  FROM decider_sent_tile AS s
  JOIN slice_span AS p ON p.stream = 'decider_sent' AND p.slice_start = s.slice_start AND p.k >= s.kv AND (band <= 180)) AS b
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(CASE WHEN COALESCE(decider_sent_rows_180, 0) > COALESCE(decider_answered_rows_180, 0) THEN COALESCE(decider_sent_rows_180, 0) - COALESCE(decider_answered_rows_180, 0) ELSE 0 END AS FLOAT64) AS `deciders_unanswered_180d`
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN decider_sent_windows AS decider_sent_windows ON decider_sent_windows.account_id = spine.account_id AND decider_sent_windows.k = spine.k
LEFT JOIN decider_answered_windows AS decider_answered_windows ON decider_answered_windows.account_id = spine.account_id AND decider_answered_windows.k = spine.k
