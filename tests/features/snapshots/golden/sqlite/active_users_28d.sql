-- active_users_28d: many things that were seen

-- usage_user_id_arrivals
SELECT account_id, user_id AS thing, kv, MAX(day) AS day
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT account_id, ((((used_on - (used_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) AS day, COALESCE(((((recorded_at - (recorded_at % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)), ((((used_on - (used_on % 86400000000 + 86400000000) % 86400000000) - 0) / 86400000000)) + 0) AS known_day, CAST((CAST(quantity * 100 AS INTEGER) + CASE WHEN (quantity * 100 - CAST(quantity * 100 AS INTEGER)) >= 0.5 THEN 1 WHEN (quantity * 100 - CAST(quantity * 100 AS INTEGER)) <= -0.5 THEN -1 ELSE 0 END) AS INTEGER) AS quantity, feature, user_id
    FROM raw_usage AS usage
    WHERE NOT used_on IS NULL AND used_on >= 1693699200000000 AND TRUE) AS e
  JOIN day_first AS s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) AS e
WHERE NOT user_id IS NULL AND quantity > 0
GROUP BY account_id, user_id, kv

-- usage_user_id_seen
SELECT account_id, k, SUM(CASE WHEN (reach <= 28) THEN 1 ELSE 0 END) AS usage_user_id_seen_28
FROM (SELECT a.account_id, p.k, MIN(p.reach) AS reach
  FROM usage_user_id_arrivals AS a
  JOIN day_span AS p ON p.day = a.day AND p.k >= a.kv AND (reach <= 28)
  GROUP BY a.account_id, a.thing, p.k) AS each_thing
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(COALESCE(usage_user_id_seen_28, 0) AS REAL) AS "active_users_28d"
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN usage_user_id_seen AS usage_user_id_seen ON usage_user_id_seen.account_id = spine.account_id AND usage_user_id_seen.k = spine.k
