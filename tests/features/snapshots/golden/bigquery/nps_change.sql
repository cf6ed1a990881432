-- nps_change: the newest row and the one before it

-- surveys_score_365_each_newest
SELECT account_id, k, MAX(CASE WHEN place = 1 AND per = 'nps' THEN score END) AS surveys_score_nps_365_1, MAX(CASE WHEN place = 2 AND per = 'nps' THEN score END) AS surveys_score_nps_365_2
FROM (SELECT e.account_id, p.k, kind AS per, score AS score, ROW_NUMBER() OVER (PARTITION BY e.account_id, p.k, kind ORDER BY p.reach NULLS LAST, e.known_day DESC, score NULLS LAST) AS place
  FROM (SELECT e.*, s.k AS kv, s.t AS kv_t
    FROM (SELECT account_id, (CAST(DATE_DIFF(CAST(responded_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) AS day, COALESCE((CAST(DATE_DIFF(CAST(recorded_at AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)), (CAST(DATE_DIFF(CAST(responded_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) + 0) AS known_day, REPLACE(REPLACE(LOWER(REPLACE(REPLACE(TRIM(kind, '                　'), 'Σ', 'σ'), 'İ', 'i')), ' ', '_'), '-', '_') AS kind, CAST(ROUND(score * 100) AS INT64) AS score
      FROM surveys AS surveys
      WHERE NOT responded_on IS NULL AND responded_on >= CAST('2022-10-01' AS DATE) AND TRUE) AS e
    JOIN day_first AS s ON s.day = CASE WHEN e.known_day > e.day THEN e.known_day ELSE e.day END) AS e
  JOIN day_span AS p ON p.day = e.day AND p.k >= e.kv AND (reach <= 365)) AS ranked
WHERE place <= 2
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(CAST((surveys_score_nps_365_1 - surveys_score_nps_365_2) AS FLOAT64) / 100 AS FLOAT64) AS `nps_change`
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN surveys_score_365_each_newest AS surveys_score_365_each_newest ON surveys_score_365_each_newest.account_id = spine.account_id AND surveys_score_365_each_newest.k = spine.k
