-- first_value_reached: a running state

-- states
SELECT account_id, k, MIN(goals_reached_first_value) OVER (PARTITION BY account_id ORDER BY k NULLS LAST) AS goals_reached_first_value
FROM (SELECT account_id, k, MIN(goals_reached_first_value) AS goals_reached_first_value
  FROM (SELECT account_id, kv AS k, CAST(MIN(CASE WHEN horizon = 'first_value' THEN day END) AS INTEGER) AS goals_reached_first_value
    FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
      FROM (SELECT account_id, ((((achieved_on - (achieved_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) AS day, COALESCE(((((recorded_at - (recorded_at % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)), COALESCE(CASE WHEN ((((achieved_on - (achieved_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) > ((((set_on - (set_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) THEN ((((achieved_on - (achieved_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) ELSE ((((set_on - (set_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) END + 0, ((((achieved_on - (achieved_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) + 0)) AS known_day, horizon, due_on, achieved_on
        FROM raw_goals AS goals
        WHERE NOT achieved_on IS NULL AND TRUE AND milestone_of IS NULL) AS e
      JOIN day_first AS s ON s.day = MAX(COALESCE(CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END, 19630), COALESCE(19630, CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END))) AS e
    GROUP BY account_id, kv
    UNION ALL SELECT account_id, k, CAST(NULL AS INTEGER)
    FROM spine) AS all_sides
  GROUP BY account_id, k) AS grid

-- the feature
SELECT spine.account_id, spine.k, CAST(CASE WHEN NOT goals_reached_first_value IS NULL THEN 1 ELSE 0 END AS REAL) AS "first_value_reached"
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN states AS states ON states.account_id = spine.account_id AND states.k = spine.k
