-- first_value_reached: a running state

-- states
SELECT account_id, k, MIN(goals_reached_first_value) OVER (PARTITION BY account_id ORDER BY k) AS goals_reached_first_value
FROM (SELECT account_id, k, MIN(goals_reached_first_value) AS goals_reached_first_value
  FROM (SELECT account_id, kv AS k, CAST(MIN(CASE WHEN horizon = 'first_value' THEN day END) AS BIGINT) AS goals_reached_first_value
    FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
      FROM (SELECT account_id, (CAST((CAST(achieved_on AS DATE) - CAST('1970-01-01' AS DATE)) AS BIGINT)) AS day, COALESCE((CAST((CAST(recorded_at AS DATE) - CAST('1970-01-01' AS DATE)) AS BIGINT)), COALESCE(CASE WHEN (CAST((CAST(achieved_on AS DATE) - CAST('1970-01-01' AS DATE)) AS BIGINT)) > (CAST((CAST(set_on AS DATE) - CAST('1970-01-01' AS DATE)) AS BIGINT)) THEN (CAST((CAST(achieved_on AS DATE) - CAST('1970-01-01' AS DATE)) AS BIGINT)) ELSE (CAST((CAST(set_on AS DATE) - CAST('1970-01-01' AS DATE)) AS BIGINT)) END + 0, (CAST((CAST(achieved_on AS DATE) - CAST('1970-01-01' AS DATE)) AS BIGINT)) + 0)) AS known_day, horizon, due_on, achieved_on
        FROM goals AS goals
        WHERE NOT achieved_on IS NULL AND TRUE AND milestone_of IS NULL) AS e
      JOIN day_first AS s ON s.day = GREATEST(CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END, 19630)) AS e
    GROUP BY account_id, kv
    UNION ALL SELECT account_id, k, CAST(NULL AS BIGINT)
    FROM spine) AS all_sides
  GROUP BY account_id, k) AS grid

-- the feature
SELECT spine.account_id, spine.k, CAST(CASE WHEN NOT goals_reached_first_value IS NULL THEN 1 ELSE 0 END AS DOUBLE PRECISION) AS "first_value_reached"
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN states AS states ON states.account_id = spine.account_id AND states.k = spine.k
