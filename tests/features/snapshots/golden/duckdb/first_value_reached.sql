-- first_value_reached: a running state

-- states
SELECT account_id, k, MIN(goals_reached_first_value) OVER (PARTITION BY account_id ORDER BY k) AS goals_reached_first_value
FROM (SELECT account_id, k, MIN(goals_reached_first_value) AS goals_reached_first_value
  FROM (SELECT account_id, kv AS k, CAST(MIN(CASE WHEN horizon = 'first_value' THEN day END) AS BIGINT) AS goals_reached_first_value
    FROM (
      SELECT e.*, s.k AS kv, s.t AS kv_t
      FROM (
        SELECT account_id, (CAST(achieved_on AS DATE) - DATE '1970-01-01') AS day, COALESCE((CAST(recorded_at AS DATE) - DATE '1970-01-01'), COALESCE(CASE WHEN (CAST(achieved_on AS DATE) - DATE '1970-01-01') > (CAST(set_on AS DATE) - DATE '1970-01-01') THEN (CAST(achieved_on AS DATE) - DATE '1970-01-01') ELSE (CAST(set_on AS DATE) - DATE '1970-01-01') END + 0, (CAST(achieved_on AS DATE) - DATE '1970-01-01') + 0)) AS known_day, horizon, due_on, achieved_on
        FROM raw.goals
        WHERE achieved_on IS NOT NULL AND TRUE AND milestone_of IS NULL) e
      JOIN day_first s ON s.day = GREATEST(CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END, 19630)) e
    GROUP BY account_id, kv
    UNION ALL SELECT account_id, k, CAST(NULL AS BIGINT)
    FROM spine) all_sides
  GROUP BY account_id, k) grid

-- the feature
SELECT spine.account_id, spine.k, CAST(CASE WHEN goals_reached_first_value IS NOT NULL THEN 1 ELSE 0 END AS DOUBLE) AS "first_value_reached"
FROM spine
LEFT JOIN attributes attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN states states ON states.account_id = spine.account_id AND states.k = spine.k
