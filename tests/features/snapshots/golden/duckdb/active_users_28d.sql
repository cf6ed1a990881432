-- active_users_28d: many things that were seen

-- usage_user_id_arrivals
SELECT account_id, user_id AS thing, kv, MAX(day) AS day
FROM (
  SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (
    SELECT account_id, (CAST(used_on AS DATE) - DATE '1970-01-01') AS day, COALESCE((CAST(recorded_at AS DATE) - DATE '1970-01-01'), (CAST(used_on AS DATE) - DATE '1970-01-01') + 0) AS known_day, CAST(ROUND(quantity * 100) AS BIGINT) AS quantity, feature, user_id
    FROM raw.usage
    WHERE used_on IS NOT NULL AND used_on >= DATE '2023-09-03' AND TRUE) e
  JOIN day_first s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) e
WHERE user_id IS NOT NULL AND quantity > 0
GROUP BY account_id, user_id, kv

-- usage_user_id_seen
SELECT account_id, k, SUM(CASE WHEN (reach <= 28) THEN 1 ELSE 0 END) AS usage_user_id_seen_28
FROM (SELECT a.account_id, p.k, MIN(p.reach) AS reach
  FROM usage_user_id_arrivals a
  JOIN day_span p ON p.day = a.day AND p.k >= a.kv AND (reach <= 28)
  GROUP BY a.account_id, a.thing, p.k) each_thing
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(COALESCE(usage_user_id_seen_28, 0) AS DOUBLE) AS "active_users_28d"
FROM spine
LEFT JOIN attributes attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN usage_user_id_seen usage_user_id_seen ON usage_user_id_seen.account_id = spine.account_id AND usage_user_id_seen.k = spine.k
