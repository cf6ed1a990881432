-- power_users_28d: many things that were active often

-- usage_user_id_arrivals
SELECT account_id, user_id AS thing, kv, MAX(day) AS day, BITORAGG(r.bit) AS days
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT account_id, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(used_on AS DATE)) AS BIGINT)) AS day, COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)), (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(used_on AS DATE)) AS BIGINT)) + 0) AS known_day, CAST(ROUND(quantity * 100) AS BIGINT) AS quantity, feature, user_id
    FROM usage AS usage
    WHERE NOT used_on IS NULL AND used_on >= CAST('2023-09-03' AS DATE) AND TRUE) AS e
  JOIN day_first AS s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) AS e
JOIN reach_bit AS r ON r.reach = e.kv_t - e.day
WHERE NOT user_id IS NULL AND quantity > 0
GROUP BY account_id, user_id, kv

-- usage_user_id_days_28
SELECT account_id, k, SUM(CASE WHEN BITWISE_COUNT(days) >= 8 THEN 1 ELSE 0 END) AS usage_user_id_often_28_8
FROM (SELECT a.account_id, p.k, BITORAGG(BITSHIFTRIGHT(CAST(a.days AS BIGINT), CAST(p.shift + 32 AS INT))) AS days
  FROM usage_user_id_arrivals AS a
  JOIN arrival_span AS p ON p.kv = a.kv AND p.shift < 28
  GROUP BY a.account_id, a.thing, p.k) AS each_thing
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(COALESCE(usage_user_id_often_28_8, 0) AS DOUBLE) AS "power_users_28d"
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN usage_user_id_days_28 AS usage_user_id_days_28 ON usage_user_id_days_28.account_id = spine.account_id AND usage_user_id_days_28.k = spine.k
