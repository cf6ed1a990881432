-- usage_peer_rank_28d: a rank among peers

-- usage_tile
SELECT e.account_id, d.slice_start, e.kv, CAST(SUM(quantity) AS BIGINT) AS v0
FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
  FROM (SELECT account_id, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(used_on AS DATE)) AS BIGINT)) AS day, COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)), (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(used_on AS DATE)) AS BIGINT)) + 0) AS known_day, CAST(ROUND(quantity * 100) AS BIGINT) AS quantity, feature, user_id
    FROM usage AS usage
    WHERE NOT used_on IS NULL AND used_on >= CAST('2023-09-03' AS DATE) AND TRUE) AS e
  JOIN day_first AS s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) AS e
JOIN day_slice AS d ON d.stream = 'usage' AND d.on_day = e.day
GROUP BY e.account_id, d.slice_start, e.kv

-- usage_windows
SELECT account_id, k, SUM(CASE WHEN (band <= 28) THEN v0 ELSE 0 END) AS usage_used_28
FROM (SELECT s.account_id, p.k, p.band, s.v0 AS v0
  FROM usage_tile AS s
  JOIN slice_span AS p ON p.stream = 'usage' AND p.slice_start = s.slice_start AND p.k >= s.kv AND (band <= 28)) AS b
GROUP BY account_id, k

-- peers
SELECT spine.account_id, spine.k, CAST(`attribute_segment` AS STRING) AS `segment`, CAST(CAST(COALESCE(usage_used_28, 0) AS DOUBLE) / 100 AS DOUBLE) AS `usage_peer_rank_28d`
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN usage_windows AS usage_windows ON usage_windows.account_id = spine.account_id AND usage_windows.k = spine.k

-- the feature
SELECT account_id, k, CASE WHEN NOT `usage_peer_rank_28d` IS NULL AND NOT segment IS NULL AND COUNT(*) OVER (PARTITION BY k, segment, CASE WHEN `usage_peer_rank_28d` IS NULL THEN 0 ELSE 1 END) > 1 THEN PERCENT_RANK() OVER (PARTITION BY k, segment, CASE WHEN `usage_peer_rank_28d` IS NULL THEN 0 ELSE 1 END ORDER BY `usage_peer_rank_28d` NULLS LAST) END AS `usage_peer_rank_28d`
FROM peers
