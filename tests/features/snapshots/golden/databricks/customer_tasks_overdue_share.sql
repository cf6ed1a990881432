-- customer_tasks_overdue_share: a balance over a running sum

-- states
SELECT account_id, k, SUM(tasks_customer) OVER (PARTITION BY account_id ORDER BY k NULLS LAST) AS tasks_customer, SUM(tasks_due_customer_overdue) OVER (PARTITION BY account_id ORDER BY k NULLS LAST) AS tasks_due_customer_overdue
FROM (SELECT account_id, k, SUM(tasks_customer) AS tasks_customer, SUM(tasks_due_customer_overdue) AS tasks_due_customer_overdue
  FROM (SELECT account_id, kv AS k, CAST(SUM(CASE WHEN side = 'customer' THEN 1 ELSE 0 END) AS BIGINT) AS tasks_customer, CAST(NULL AS BIGINT) AS tasks_due_customer_overdue
    FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
      FROM (SELECT account_id, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(set_on AS DATE)) AS BIGINT)) AS day, COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)), (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(set_on AS DATE)) AS BIGINT)) + 0) AS known_day, REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(BOTH '                　'
                    FROM owner_side), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_') AS side
        FROM goals AS goals
        WHERE NOT set_on IS NULL AND TRUE AND NOT owner_side IS NULL AND NOT set_on IS NULL AND NOT due_on IS NULL) AS e
      JOIN day_first AS s ON s.day = GREATEST(CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END, 19630)) AS e
    GROUP BY account_id, kv
    UNION ALL SELECT account_id, kv AS k, CAST(NULL AS BIGINT) AS tasks_customer, CAST(SUM((CASE WHEN side = 'customer' THEN 1 ELSE 0 END)) AS BIGINT) AS tasks_due_customer_overdue
    FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
      FROM (SELECT account_id, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(CASE WHEN due_on > set_on THEN due_on ELSE set_on END AS DATE)) AS BIGINT)) AS day, COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)), COALESCE(CASE WHEN (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(CASE WHEN due_on > set_on THEN due_on ELSE set_on END AS DATE)) AS BIGINT)) > (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(set_on AS DATE)) AS BIGINT)) THEN (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(CASE WHEN due_on > set_on THEN due_on ELSE set_on END AS DATE)) AS BIGINT)) ELSE (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(set_on AS DATE)) AS BIGINT)) END + 0, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(CASE WHEN due_on > set_on THEN due_on ELSE set_on END AS DATE)) AS BIGINT)) + 0)) AS known_day, REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(BOTH '                　'
                    FROM owner_side), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_') AS side
        FROM goals AS goals
        WHERE NOT CASE WHEN due_on > set_on THEN due_on ELSE set_on END IS NULL AND TRUE AND NOT owner_side IS NULL AND NOT set_on IS NULL AND NOT due_on IS NULL) AS e
      JOIN day_first AS s ON s.day = GREATEST(CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END, 19630)) AS e
    GROUP BY account_id, kv
    UNION ALL SELECT account_id, kv AS k, CAST(NULL AS BIGINT) AS tasks_customer, CAST(SUM(-(CASE WHEN side = 'customer' THEN 1 ELSE 0 END)) AS BIGINT) AS tasks_due_customer_overdue
    FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
      FROM (SELECT account_id, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(CASE WHEN achieved_on > (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) THEN achieved_on ELSE (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) END AS DATE)) AS BIGINT)) AS day, COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)), COALESCE(CASE WHEN (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(CASE WHEN achieved_on > (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) THEN achieved_on ELSE (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) END AS DATE)) AS BIGINT)) > (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(set_on AS DATE)) AS BIGINT)) THEN (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(CASE WHEN achieved_on > (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) THEN achieved_on ELSE (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) END AS DATE)) AS BIGINT)) ELSE (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(set_on AS DATE)) AS BIGINT)) END + 0, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(CASE WHEN achieved_on > (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) THEN achieved_on ELSE (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) END AS DATE)) AS BIGINT)) + 0)) AS known_day, REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(BOTH '                　'
                    FROM owner_side), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_') AS side
        FROM goals AS goals
        WHERE NOT CASE WHEN achieved_on > (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) THEN achieved_on ELSE (CASE WHEN due_on > set_on THEN due_on ELSE set_on END) END IS NULL AND TRUE AND NOT owner_side IS NULL AND NOT set_on IS NULL AND NOT due_on IS NULL AND NOT achieved_on IS NULL) AS e
      JOIN day_first AS s ON s.day = GREATEST(CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END, 19630)) AS e
    GROUP BY account_id, kv
    UNION ALL SELECT account_id, k, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)
    FROM spine) AS all_sides
  GROUP BY account_id, k) AS grid

-- the feature
SELECT spine.account_id, spine.k, CAST(CAST(COALESCE(tasks_due_customer_overdue, 0) AS DOUBLE) / NULLIF(CAST(tasks_customer AS DOUBLE), 0) AS DOUBLE) AS `customer_tasks_overdue_share`
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN states AS states ON states.account_id = spine.account_id AND states.k = spine.k
