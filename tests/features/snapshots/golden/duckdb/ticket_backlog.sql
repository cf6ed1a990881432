-- ticket_backlog: a balance of what was opened and closed

-- states
SELECT account_id, k, SUM(tickets_open) OVER (PARTITION BY account_id ORDER BY k) AS tickets_open
FROM (SELECT account_id, k, SUM(tickets_open) AS tickets_open
  FROM (SELECT account_id, kv AS k, CAST(SUM((1)) AS BIGINT) AS tickets_open
    FROM (
      SELECT e.*, s.k AS kv, s.t AS kv_t
      FROM (
        SELECT account_id, (CAST(opened_at AS DATE) - DATE '1970-01-01') AS day, COALESCE((CAST(recorded_at AS DATE) - DATE '1970-01-01'), (CAST(opened_at AS DATE) - DATE '1970-01-01') + 0) AS known_day, CASE WHEN REPLACE(REPLACE(LOWER(TRIM(severity)), ' ', '_'), '-', '_') IN ('3', '4', 'high', 'critical', 'urgent') THEN 1 ELSE 0 END AS severe
        FROM raw.tickets
        WHERE opened_at IS NOT NULL AND TRUE AND TRUE) e
      JOIN day_first s ON s.day = GREATEST(CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END, 19630)) e
    GROUP BY account_id, kv
    UNION ALL SELECT account_id, kv AS k, CAST(SUM(-(1)) AS BIGINT) AS tickets_open
    FROM (
      SELECT e.*, s.k AS kv, s.t AS kv_t
      FROM (
        SELECT account_id, (CAST(CASE WHEN resolved_at > opened_at THEN resolved_at ELSE opened_at END AS DATE) - DATE '1970-01-01') AS day, COALESCE((CAST(recorded_at AS DATE) - DATE '1970-01-01'), COALESCE(CASE WHEN (CAST(CASE WHEN resolved_at > opened_at THEN resolved_at ELSE opened_at END AS DATE) - DATE '1970-01-01') > (CAST(opened_at AS DATE) - DATE '1970-01-01') THEN (CAST(CASE WHEN resolved_at > opened_at THEN resolved_at ELSE opened_at END AS DATE) - DATE '1970-01-01') ELSE (CAST(opened_at AS DATE) - DATE '1970-01-01') END + 0, (CAST(CASE WHEN resolved_at > opened_at THEN resolved_at ELSE opened_at END AS DATE) - DATE '1970-01-01') + 0)) AS known_day, CASE WHEN REPLACE(REPLACE(LOWER(TRIM(severity)), ' ', '_'), '-', '_') IN ('3', '4', 'high', 'critical', 'urgent') THEN 1 ELSE 0 END AS severe
        FROM raw.tickets
        WHERE CASE WHEN resolved_at > opened_at THEN resolved_at ELSE opened_at END IS NOT NULL AND TRUE AND resolved_at IS NOT NULL) e
      JOIN day_first s ON s.day = GREATEST(CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END, 19630)) e
    GROUP BY account_id, kv
    UNION ALL SELECT account_id, k, CAST(NULL AS BIGINT)
    FROM spine) all_sides
  GROUP BY account_id, k) grid

-- the feature
SELECT spine.account_id, spine.k, CAST(COALESCE(tickets_open, 0) AS DOUBLE) AS "ticket_backlog"
FROM spine
LEFT JOIN attributes attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN states states ON states.account_id = spine.account_id AND states.k = spine.k
