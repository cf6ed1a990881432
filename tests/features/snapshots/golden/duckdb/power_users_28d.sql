-- power_users_28d: many things that were active often

-- usage_user_id_arrivals
SELECT account_id, user_id AS thing, kv, MAX(day) AS day, BIT_OR(r.bit) AS days
FROM (
  SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (
    SELECT account_id, (CAST(used_on AS DATE) - DATE '1970-01-01') AS day, COALESCE((CAST(recorded_at AS DATE) - DATE '1970-01-01'), (CAST(used_on AS DATE) - DATE '1970-01-01') + 0) AS known_day, CAST(ROUND(quantity * 100) AS BIGINT) AS quantity, feature, user_id
    FROM raw.usage
    WHERE used_on IS NOT NULL AND used_on >= DATE '2023-09-03' AND TRUE) e
  JOIN day_first s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) e
JOIN reach_bit r ON r.reach = e.kv_t - e.day
WHERE user_id IS NOT NULL AND quantity > 0
GROUP BY account_id, user_id, kv

-- usage_user_id_days_28
SELECT account_id, k, SUM(CASE WHEN BIT_COUNT(days) >= 8 THEN 1 ELSE 0 END) AS usage_user_id_often_28_8
FROM (SELECT a.account_id, p.k, BIT_OR(a.days >> CAST(p.shift + 32 AS INTEGER)) AS days
  FROM usage_user_id_arrivals a
  JOIN arrival_span p ON p.kv = a.kv AND p.shift < 28
  GROUP BY a.account_id, a.thing, p.k) each_thing
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(COALESCE(usage_user_id_often_28_8, 0) AS DOUBLE) AS "power_users_28d"
FROM spine
LEFT JOIN attributes attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN usage_user_id_days_28 usage_user_id_days_28 ON usage_user_id_days_28.account_id = spine.account_id AND usage_user_id_days_28.k = spine.k
