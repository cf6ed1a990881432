-- deciders_unanswered_180d: what was sent, known before its answer

-- decider_answered_tile
SELECT e.account_id, d.slice_start, e.kv, CAST(SUM(1) AS BIGINT) AS v0
FROM (
  SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (
    SELECT account_id, (CAST(responded_on AS DATE) - DATE '1970-01-01') AS day, COALESCE((CAST(recorded_at AS DATE) - DATE '1970-01-01'), (CAST(responded_on AS DATE) - DATE '1970-01-01') + 0) AS known_day
    FROM raw.surveys
    WHERE responded_on IS NOT NULL AND responded_on >= DATE '2023-04-04' AND sent_on IS NOT NULL AND REPLACE(REPLACE(LOWER(TRIM(respondent_role)), ' ', '_'), '-', '_') IN ('decision_maker', 'executive_sponsor', 'executive', 'sponsor')) e
  JOIN day_first s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) e
JOIN day_slice d ON d.stream = 'decider_answered' AND d.on_day = e.day
GROUP BY e.account_id, d.slice_start, e.kv

-- decider_answered_windows
SELECT account_id, k, SUM(CASE WHEN (band <= 180) THEN v0 ELSE 0 END) AS decider_answered_rows_180
FROM (
  SELECT s.account_id, p.k, p.band, s.v0 AS v0
  FROM decider_answered_tile s
  JOIN slice_span p ON p.stream = 'decider_answered' AND p.slice_start = s.slice_start AND p.k >= s.kv
  AND (band <= 180)
) b
GROUP BY account_id, k

-- decider_sent_tile
SELECT e.account_id, d.slice_start, e.kv, CAST(SUM(1) AS BIGINT) AS v0
FROM (
  SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (
    SELECT account_id, (CAST(sent_on AS DATE) - DATE '1970-01-01') AS day, COALESCE((CAST(recorded_at AS DATE) - DATE '1970-01-01'), (CAST(sent_on AS DATE) - DATE '1970-01-01') + 0) AS known_day
    FROM raw.surveys
    WHERE sent_on IS NOT NULL AND sent_on >= DATE '2023-04-04' AND sent_on IS NOT NULL AND REPLACE(REPLACE(LOWER(TRIM(respondent_role)), ' ', '_'), '-', '_') IN ('decision_maker', 'executive_sponsor', 'executive', 'sponsor')) e
  JOIN day_first s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) e
JOIN day_slice d ON d.stream = 'decider_sent' AND d.on_day = e.day
GROUP BY e.account_id, d.slice_start, e.kv

-- decider_sent_windows
SELECT account_id, k, SUM(CASE WHEN (band <= 180) THEN v0 ELSE 0 END) AS decider_sent_rows_180
FROM (
  SELECT s.account_id, p.k, p.band, s.v0 AS v0
  FROM decider_sent_tile s
  JOIN slice_span p ON p.stream = 'decider_sent' AND p.slice_start = s.slice_start AND p.k >= s.kv
  AND (band <= 180)
) b
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(CASE WHEN COALESCE(decider_sent_rows_180, 0) > COALESCE(decider_answered_rows_180, 0) THEN COALESCE(decider_sent_rows_180, 0) - COALESCE(decider_answered_rows_180, 0) ELSE 0 END AS DOUBLE) AS "deciders_unanswered_180d"
FROM spine
LEFT JOIN attributes attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN decider_sent_windows decider_sent_windows ON decider_sent_windows.account_id = spine.account_id AND decider_sent_windows.k = spine.k
LEFT JOIN decider_answered_windows decider_answered_windows ON decider_answered_windows.account_id = spine.account_id AND decider_answered_windows.k = spine.k
