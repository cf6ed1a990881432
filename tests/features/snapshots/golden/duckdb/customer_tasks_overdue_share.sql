-- customer_tasks_overdue_share: a balance over a running sum

-- states
SELECT account_id, k, SUM(tasks_customer) OVER (PARTITION BY account_id ORDER BY k) AS tasks_customer, SUM(tasks_due_customer_overdue) OVER (PARTITION BY account_id ORDER BY k) AS tasks_due_customer_overdue
FROM (SELECT account_id, k, SUM(tasks_customer) AS tasks_customer, SUM(tasks_due_customer_overdue) AS tasks_due_customer_overdue
  FROM (SELECT account_id, kv AS k, CAST(SUM(CASE WHEN side = 'customer' THEN 1 ELSE 0 END) AS BIGINT) AS tasks_customer, CAST(NULL AS BIGINT) AS tasks_due_customer_overdue
    FROM (
      SELECT e.*, s.k AS kv, s.t AS kv_t
      FROM (
        SELECT account_id, (CAST(set_on AS DATE) - DATE '1970-01-01') AS day, COALESCE((CAST(recorded_at AS DATE) - DATE '1970-01-01'), (CAST(set_on AS DATE) - DATE '1970-01-01') + 0) AS known_day, REPLACE(REPLACE(LOWER(TRIM(owner_side)), ' ', '_'), '-', '_') AS side
        FROM raw.goals
        WHERE set_on IS NOT NULL AND TRUE AND owner_side IS NOT NULL AND set_on IS NOT NULL AND due_on IS NOT NULL) e
      JOIN day_first s ON s.day = GREATEST(CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END, 19630)) e
    GROUP BY account_id, kv
    UNION ALL SELECT account_id, kv AS k, CAST(NULL AS BIGINT) AS tasks_customer, CAST(SUM((CASE WHEN side = 'customer' THEN 1 ELSE 0 END)) AS BIGINT) AS tasks_due_customer_overdue
    FROM (
      SELECT e.*, s.k AS kv, s.t AS kv_t
      FROM (
        SELECT account_id, (CAST(CASE WHEN due_on > set_on THEN due_on ELSE set_on END AS DATE) - DATE '1970-01-01') AS day, COALESCE((CAST(recorded_at AS DATE) - DATE '1970-01-01'), COALESCE(CASE WHEN (CAST(CASE WHEN due_on > set_on THEN due_on ELSE set_on END AS DATE) - DATE '1970-01-01') > (CAST(set_on AS DATE) - DATE '1970-01-01') THEN (CAST(CASE WHEN due_on > set_on THEN due_on ELSE set_on END AS DATE) - DATE '1970-01-01') ELSE (CAST(set_on AS DATE) - DATE '1970-01-01') END + 0, (CAST(CASE WHEN due_on > set_on THEN due_on ELSE set_on END AS DATE) - DATE '1970-01-01') + 0)) AS known_day, REPLACE(REPLACE(LOWER(TRIM(owner_side)), ' ', '_'), '-', '_') AS side
        FROM raw.goals
        WHERE CASE WHEN due_on > set_on THEN due_on ELSE set_on END IS NOT NULL AND TRUE AND owner_side IS NOT NULL AND set_on IS NOT NULL AND due_on IS NOT NULL) e
      JOIN day_first s ON s.day = GREATEST(CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END, 19630)) e
    GROUP BY account_id, kv
    UNION ALL SELECT account_id, kv AS k, CAST(NULL AS BIGINT) AS tasks_customer, CAST(SUM(-(CASE WHEN side = 'customer' THEN 1 ELSE 0 END)) AS BIGINT) AS tasks_due_customer_overdue
    FROM (
      SELECT e.*, s.k AS kv, s.t AS kv_t
      FROM (
        SELECT account_id, (CAST(CASE WHEN achieved_on > (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) THEN achieved_on ELSE (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) END AS DATE) - DATE '1970-01-01') AS day, COALESCE((CAST(recorded_at AS DATE) - DATE '1970-01-01'), COALESCE(CASE WHEN (CAST(CASE WHEN achieved_on > (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) THEN achieved_on ELSE (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) END AS DATE) - DATE '1970-01-01') > (CAST(set_on AS DATE) - DATE '1970-01-01') THEN (CAST(CASE WHEN achieved_on > (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) THEN achieved_on ELSE (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) END AS DATE) - DATE '1970-01-01') ELSE (CAST(set_on AS DATE) - DATE '1970-01-01') END + 0, (CAST(CASE WHEN achieved_on > (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) THEN achieved_on ELSE (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) END AS DATE) - DATE '1970-01-01') + 0)) AS known_day, REPLACE(REPLACE(LOWER(TRIM(owner_side)), ' ', '_'), '-', '_') AS side
        FROM raw.goals
        WHERE CASE WHEN achieved_on > (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) THEN achieved_on ELSE (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) END IS NOT NULL AND TRUE AND owner_side IS NOT NULL AND set_on IS NOT NULL AND due_on IS NOT NULL AND achieved_on IS NOT NULL) e
      JOIN day_first s ON s.day = GREATEST(CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END, 19630)) e
    GROUP BY account_id, kv
    UNION ALL SELECT account_id, k, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)
    FROM spine) all_sides
  GROUP BY account_id, k) grid

-- the feature
SELECT spine.account_id, spine.k, CAST(CAST(COALESCE(tasks_due_customer_overdue, 0) AS DOUBLE) / NULLIF(CAST(tasks_customer AS DOUBLE), 0) AS DOUBLE) AS "customer_tasks_overdue_share"
FROM spine
LEFT JOIN attributes attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN states states ON states.account_id = spine.account_id AND states.k = spine.k
