-- nps_change: the newest row and the one before it

-- surveys_score_365_each_newest
SELECT account_id, k, MAX(CASE WHEN place = 1 AND per = 'nps' THEN score END) AS surveys_score_nps_365_1, MAX(CASE WHEN place = 2 AND per = 'nps' THEN score END) AS surveys_score_nps_365_2
FROM (SELECT e.account_id, p.k, kind AS per, score AS score, ROW_NUMBER() OVER (PARTITION BY e.account_id, p.k, kind ORDER BY p.reach NULLS LAST, e.known_day DESC, score NULLS LAST) AS place
  FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
    FROM (SELECT account_id, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(responded_on AS DATE)) AS BIGINT)) AS day, COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)), (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(responded_on AS DATE)) AS BIGINT)) + 0) AS known_day, REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(BOTH '                　'
                  FROM kind), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_') AS kind, CAST(ROUND(score * 100) AS BIGINT) AS score
      FROM surveys AS surveys
      WHERE NOT responded_on IS NULL AND responded_on >= CAST('2022-10-01' AS DATE) AND TRUE) AS e
    JOIN day_first AS s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) AS e
  JOIN day_span AS p ON p.day = e.day AND p.k >= e.kv AND (reach <= 365)) AS ranked
WHERE place <= 2
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(CAST((surveys_score_nps_365_1 - surveys_score_nps_365_2) AS DOUBLE) / 100 AS DOUBLE) AS `nps_change`
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN surveys_score_365_each_newest AS surveys_score_365_each_newest ON surveys_score_365_each_newest.account_id = spine.account_id AND surveys_score_365_each_newest.k = spine.k
