-- ticket_backlog: a balance of what was opened and closed

-- states
SELECT account_id, k, SUM(tickets_open) OVER (PARTITION BY account_id ORDER BY k NULLS LAST) AS tickets_open
FROM (SELECT account_id, k, SUM(tickets_open) AS tickets_open
  FROM (SELECT account_id, kv AS k, CAST(SUM((1)) AS BIGINT) AS tickets_open
    FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
      FROM (SELECT account_id, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(opened_at AS DATE)) AS BIGINT)) AS day, COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)), (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(opened_at AS DATE)) AS BIGINT)) + 0) AS known_day, CASE WHEN REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(BOTH '                　'
                    FROM severity), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_') IN ('3', '4', 'high', 'critical', 'urgent') THEN 1 ELSE 0 END AS severe
        FROM tickets AS tickets
        WHERE NOT opened_at IS NULL AND TRUE AND TRUE) AS e
      JOIN day_first AS s ON s.day = GREATEST(CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END, 19630)) AS e
    GROUP BY account_id, kv
    UNION ALL SELECT account_id, kv AS k, CAST(SUM(-(1)) AS BIGINT) AS tickets_open
    FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
      FROM (SELECT account_id, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(CASE WHEN resolved_at > opened_at THEN resolved_at ELSE opened_at END AS DATE)) AS BIGINT)) AS day, COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)), COALESCE(CASE WHEN (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(CASE WHEN resolved_at > opened_at THEN resolved_at ELSE opened_at END AS DATE)) AS BIGINT)) > (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(opened_at AS DATE)) AS BIGINT)) THEN (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(CASE WHEN resolved_at > opened_at THEN resolved_at ELSE opened_at END AS DATE)) AS BIGINT)) ELSE (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(opened_at AS DATE)) AS BIGINT)) END + 0, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(CASE WHEN resolved_at > opened_at THEN resolved_at ELSE opened_at END AS DATE)) AS BIGINT)) + 0)) AS known_day, CASE WHEN REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(BOTH '                　'
                    FROM severity), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_') IN ('3', '4', 'high', 'critical', 'urgent') THEN 1 ELSE 0 END AS severe
        FROM tickets AS tickets
        WHERE NOT CASE WHEN resolved_at > opened_at THEN resolved_at ELSE opened_at END IS NULL AND TRUE AND NOT resolved_at IS NULL) AS e
      JOIN day_first AS s ON s.day = GREATEST(CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END, 19630)) AS e
    GROUP BY account_id, kv
    UNION ALL SELECT account_id, k, CAST(NULL AS BIGINT)
    FROM spine) AS all_sides
  GROUP BY account_id, k) AS grid

-- the feature
SELECT spine.account_id, spine.k, CAST(COALESCE(tickets_open, 0) AS DOUBLE) AS `ticket_backlog`
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN states AS states ON states.account_id = spine.account_id AND states.k = spine.k
