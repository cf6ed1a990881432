-- spine: every account with ARR at each snapshot

-- known_lines
SELECT c.*, MIN(CASE WHEN c.runs_until > c.starts AND c.mrr_micros >= 0 THEN c.starts END) OVER (PARTITION BY c.k, c.product_line ORDER BY c.starts RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next_start
FROM (SELECT l.*, COALESCE(l.ended, l.ends, 2000000) AS runs_until
  FROM (WITH versions AS (SELECT r.*, LEAD(r.kv) OVER (PARTITION BY r.contract_id ORDER BY r.known_day NULLS LAST, r.version) AS next_kv
      FROM (SELECT e.*, b.k AS kv
        FROM (SELECT l.*, s.known_day AS change_known_day
          FROM (SELECT account_id, contract_id, product AS product, kind AS kind, buying_center AS buying_center, currency AS currency, CAST(NULL AS STRING) AS status, CASE WHEN COALESCE(CAST(NULL AS STRING), 'active') IN ('paused', 'trial') THEN 0 ELSE CAST(mrr * 1000000 AS INT64) END AS mrr_micros, CASE WHEN COALESCE(CAST(NULL AS STRING), 'active') IN ('paused', 'trial') THEN 0 ELSE CAST(list_mrr * 1000000 AS INT64) END AS list_mrr_micros, seats AS seats, auto_renew AS auto_renew, (CAST(DATE_DIFF(CAST(starts_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) AS starts, (CAST(DATE_DIFF(CAST(ends_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) AS ends, (CAST(DATE_DIFF(CAST(ended_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) AS ended, (CAST(DATE_DIFF(CAST(notice_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) AS notice, DENSE_RANK() OVER (ORDER BY account_id NULLS LAST, COALESCE(buying_center, '') NULLS LAST, COALESCE(product, '') NULLS LAST) AS product_line, DENSE_RANK() OVER (ORDER BY account_id NULLS LAST, COALESCE(buying_center, '') NULLS LAST) AS center_line, recorded_at AS version, COALESCE((CAST(DATE_DIFF(CAST(signed_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)), (CAST(DATE_DIFF(CAST(starts_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64))) AS signed, COALESCE(GREATEST((CAST(DATE_DIFF(CAST(recorded_at AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)), COALESCE((CAST(DATE_DIFF(CAST(signed_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)), (CAST(DATE_DIFF(CAST(recorded_at AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)))), COALESCE((CAST(DATE_DIFF(CAST(signed_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)), (CAST(DATE_DIFF(CAST(starts_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64))) + 0) AS known_day
            FROM contracts AS contracts) AS l
          LEFT JOIN (SELECT center_line, starts, MIN(known_day) AS known_day
            FROM (SELECT account_id, contract_id, product AS product, kind AS kind, buying_center AS buying_center, currency AS currency, CAST(NULL AS STRING) AS status, CASE WHEN COALESCE(CAST(NULL AS STRING), 'active') IN ('paused', 'trial') THEN 0 ELSE CAST(mrr * 1000000 AS INT64) END AS mrr_micros, CASE WHEN COALESCE(CAST(NULL AS STRING), 'active') IN ('paused', 'trial') THEN 0 ELSE CAST(list_mrr * 1000000 AS INT64) END AS list_mrr_micros, seats AS seats, auto_renew AS auto_renew, (CAST(DATE_DIFF(CAST(starts_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) AS starts, (CAST(DATE_DIFF(CAST(ends_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) AS ends, (CAST(DATE_DIFF(CAST(ended_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) AS ended, (CAST(DATE_DIFF(CAST(notice_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) AS notice, DENSE_RANK() OVER (ORDER BY account_id NULLS LAST, COALESCE(buying_center, '') NULLS LAST, COALESCE(product, '') NULLS LAST) AS product_line, DENSE_RANK() OVER (ORDER BY account_id NULLS LAST, COALESCE(buying_center, '') NULLS LAST) AS center_line, recorded_at AS version, COALESCE((CAST(DATE_DIFF(CAST(signed_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)), (CAST(DATE_DIFF(CAST(starts_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64))) AS signed, COALESCE(GREATEST((CAST(DATE_DIFF(CAST(recorded_at AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)), COALESCE((CAST(DATE_DIFF(CAST(signed_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)), (CAST(DATE_DIFF(CAST(recorded_at AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)))), COALESCE((CAST(DATE_DIFF(CAST(signed_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)), (CAST(DATE_DIFF(CAST(starts_on AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64))) + 0) AS known_day
              FROM contracts AS contracts) AS n
            GROUP BY center_line, starts) AS s ON s.center_line = l.center_line AND s.starts = l.ended) AS e
        JOIN day_first AS b ON b.day = CASE WHEN e.known_day < 19630 THEN 19630 ELSE e.known_day END) AS r), news AS (SELECT center_line, kv AS k
      FROM versions UNION DISTINCT SELECT center_line, next_kv
      FROM versions
      WHERE NOT next_kv IS NULL UNION DISTINCT SELECT v.center_line, b.k
      FROM versions AS v
      JOIN day_first AS b ON b.day = v.ended + 0 AND b.day >= 19630
      WHERE TRUE UNION DISTINCT SELECT v.center_line, b.k
      FROM versions AS v
      JOIN day_first AS b ON b.day = v.notice + 0 AND b.day >= 19630
      WHERE TRUE UNION DISTINCT SELECT v.center_line, b.k
      FROM versions AS v
      JOIN day_first AS b ON b.day = v.ended - 1 AND b.day >= 19630
      WHERE v.change_known_day < v.ended) SELECT c.k, c.next_k, v.account_id, v.contract_id, v.product, v.kind, v.buying_center, v.currency, v.status, v.mrr_micros, v.list_mrr_micros, v.seats, v.auto_renew, v.starts, v.ends, v.product_line, v.center_line, 0 AS later, CASE WHEN v.ended + 0 < c.t OR v.notice + 0 < c.t OR (v.ended <= c.t AND v.change_known_day < c.t) THEN v.ended END AS ended, CASE WHEN v.notice + 0 < c.t THEN v.notice END AS notice
    FROM versions AS v
    JOIN (SELECT n.*, s.t, LEAD(n.k) OVER (PARTITION BY n.center_line ORDER BY n.k NULLS LAST) AS next_k
      FROM news AS n
      JOIN cal AS s ON s.k = n.k) AS c ON c.center_line = v.center_line AND c.k >= v.kv AND (v.next_kv IS NULL OR c.k < v.next_kv)) AS l
  WHERE COALESCE(l.status, 'active') <> 'trial') AS c

-- line_overlaps
WITH pairs AS (SELECT o.k, o.contract_id, o.product_line, o.mrr_micros, n.contract_id AS next_id, n.starts AS next_starts, n.mrr_micros AS next_mrr
  FROM known_lines AS o
  JOIN known_lines AS n ON n.k = o.k AND n.product_line = o.product_line
  WHERE o.next_start < o.runs_until AND o.mrr_micros >= 0 AND n.mrr_micros >= 0 AND n.starts > o.starts AND n.starts < o.runs_until AND n.runs_until > n.starts AND (n.kind = 'renewal' OR (NOT o.product IS NULL AND n.runs_until > o.runs_until AND n.starts >= o.runs_until - 90))), continued AS (SELECT p.k, p.next_id, SUM(e.mrr_micros) AS mrr_micros
  FROM (SELECT DISTINCT k, next_id, next_starts, product_line
    FROM pairs) AS p
  JOIN known_lines AS e ON e.k = p.k AND e.product_line = p.product_line
  WHERE e.runs_until <= p.next_starts AND e.runs_until >= p.next_starts - 30 AND e.starts < e.runs_until AND e.mrr_micros >= 0 AND NOT EXISTS(SELECT 1
    FROM known_lines AS b
    WHERE b.k = e.k AND b.product_line = e.product_line AND b.starts >= e.runs_until AND b.starts < p.next_starts AND b.starts < b.runs_until AND b.mrr_micros >= 0)
  GROUP BY p.k, p.next_id) SELECT k, contract_id, next_id, next_starts, next_mrr
FROM (SELECT p.*, c.mrr_micros AS continued_mrr, SUM(p.mrr_micros) OVER (PARTITION BY p.k, p.next_id ORDER BY p.mrr_micros DESC, p.contract_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - p.mrr_micros AS larger_mrr
  FROM pairs AS p
  LEFT JOIN continued AS c ON c.k = p.k AND c.next_id = p.next_id) AS ranked
WHERE (continued_mrr IS NULL OR next_mrr - continued_mrr - larger_mrr >= 0.5 * mrr_micros)

-- line_ends
SELECT l.*, (l.starts - MOD(l.starts, 31)) AS bucket, o.replaced_on, COALESCE(o.replaced_on, l.runs_until) AS stops, CASE WHEN l.notice IS NULL AND l.ended IS NULL AND l.ends > l.starts AND o.replaced_on IS NULL AND l.mrr_micros >= 0 THEN 1 ELSE 0 END AS graced, CASE WHEN l.notice IS NULL AND l.ended IS NULL AND l.ends > l.starts AND o.replaced_on IS NULL AND l.mrr_micros >= 0 THEN l.ends + 30 WHEN l.notice >= l.ends AND l.notice < l.ends + 30 AND l.ended IS NULL AND l.ends > l.starts AND o.replaced_on IS NULL AND l.mrr_micros >= 0 THEN l.notice ELSE COALESCE(o.replaced_on, l.runs_until) END AS own_until
FROM known_lines AS l
LEFT JOIN (SELECT k, contract_id, MIN(next_starts) AS replaced_on
  FROM line_overlaps
  GROUP BY k, contract_id) AS o ON o.k = l.k AND o.contract_id = l.contract_id

-- line_followers
SELECT p.*, ROW_NUMBER() OVER (PARTITION BY p.k, p.contract_id ORDER BY p.own DESC, p.next_starts NULLS LAST, p.next_mrr DESC, p.next_id NULLS LAST) AS place
FROM (SELECT l.k, l.contract_id, l.center_line, l.mrr_micros, s.contract_id AS next_id, s.starts AS next_starts, s.mrr_micros AS next_mrr, s.kind AS next_kind, CASE WHEN s.product_line = l.product_line THEN 1 ELSE 0 END AS own, CASE WHEN COALESCE(s.currency, 'USD') <> COALESCE(l.currency, 'USD') THEN 1 ELSE 0 END AS other_currency
  FROM (SELECT k, contract_id, product_line, center_line, currency, mrr_micros, runs_until, (runs_until - MOD(runs_until, 31)) AS bucket
    FROM line_ends
    WHERE replaced_on IS NULL AND runs_until < 2000000 AND runs_until > starts AND mrr_micros >= 0
    UNION ALL SELECT k, contract_id, product_line, center_line, currency, mrr_micros, runs_until, ((runs_until + 30) - MOD(runs_until + 30, 31)) AS bucket
    FROM line_ends
    WHERE replaced_on IS NULL AND runs_until < 2000000 AND runs_until > starts AND mrr_micros >= 0 AND ((runs_until + 30) - MOD(runs_until + 30, 31)) <> (runs_until - MOD(runs_until, 31))) AS l
  JOIN line_ends AS s ON s.k = l.k AND s.center_line = l.center_line AND s.bucket = l.bucket
  WHERE s.contract_id <> l.contract_id AND s.starts >= l.runs_until AND s.starts <= l.runs_until + 30 AND s.stops > s.starts AND s.mrr_micros >= 0) AS p

-- line_renewals
WITH ended AS (SELECT f.k, f.contract_id, f.mrr_micros, f.next_starts, s.product_line, ROW_NUMBER() OVER (PARTITION BY f.k, s.product_line, f.next_starts ORDER BY f.mrr_micros DESC, f.contract_id NULLS LAST) AS size_rank
  FROM line_followers AS f
  JOIN line_ends AS s ON s.k = f.k AND s.contract_id = f.next_id
  WHERE f.own = 1 AND f.place = 1), days AS (SELECT k, product_line, next_starts, SUM(mrr_micros) AS ended_mrr
  FROM ended
  GROUP BY k, product_line, next_starts), started AS (SELECT s.k, s.contract_id AS next_id, s.product_line, d.next_starts, d.ended_mrr, s.mrr_micros, ROW_NUMBER() OVER (PARTITION BY s.k, s.product_line, d.next_starts ORDER BY s.mrr_micros DESC, s.contract_id NULLS LAST) AS size_rank, COUNT(*) OVER (PARTITION BY s.k, s.product_line, d.next_starts) AS lines, SUM(s.mrr_micros) OVER (PARTITION BY s.k, s.product_line, d.next_starts ORDER BY s.mrr_micros DESC, s.contract_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - s.mrr_micros AS larger_mrr
  FROM days AS d
  JOIN line_ends AS s ON s.k = d.k AND s.product_line = d.product_line AND s.starts = d.next_starts
  WHERE s.stops > s.starts AND s.mrr_micros >= 0) SELECT s.k, e.contract_id, s.next_id, s.next_starts, CAST(CASE WHEN s.ended_mrr <= s.larger_mrr THEN s.mrr_micros WHEN s.size_rank < s.lines AND s.ended_mrr > s.larger_mrr + s.mrr_micros THEN 0 ELSE s.larger_mrr + s.mrr_micros - s.ended_mrr END AS INT64) AS spare
FROM started AS s
LEFT JOIN ended AS e ON e.k = s.k AND e.product_line = s.product_line AND e.next_starts = s.next_starts AND CASE WHEN e.size_rank < s.lines THEN e.size_rank ELSE s.lines END = s.size_rank

-- line_switches
WITH RECURSIVE pairs AS (SELECT p.*, DENSE_RANK() OVER (PARTITION BY p.k, p.center_line, p.next_starts ORDER BY p.mrr_micros DESC, p.contract_id NULLS LAST) AS size_rank, ROW_NUMBER() OVER (PARTITION BY p.k, p.contract_id, p.next_starts ORDER BY p.next_mrr DESC, p.next_id NULLS LAST) AS turn
  FROM (SELECT f.*, CAST(COALESCE(r.spare, f.next_mrr) - COALESCE(v.mrr_micros, 0) AS INT64) AS full_spare, CASE WHEN f.next_kind IN ('renewal', 'downsell') AND r.next_id IS NULL AND v.next_id IS NULL AND e.next_id IS NULL THEN 1 ELSE 0 END AS replaces_all
    FROM line_followers AS f
    LEFT JOIN (SELECT DISTINCT k, next_id, spare
      FROM line_renewals) AS r ON r.k = f.k AND r.next_id = f.next_id
    LEFT JOIN (SELECT p.k, p.next_id, SUM(l.mrr_micros) AS mrr_micros
      FROM (SELECT k, contract_id, next_id, next_starts
        FROM (SELECT o.*, ROW_NUMBER() OVER (PARTITION BY o.k, o.contract_id ORDER BY o.next_starts NULLS LAST, o.next_mrr DESC, o.next_id NULLS LAST) AS place
          FROM line_overlaps AS o) AS ranked
        WHERE place = 1) AS p
      JOIN line_ends AS l ON l.k = p.k AND l.contract_id = p.contract_id
      GROUP BY p.k, p.next_id) AS v ON v.k = f.k AND v.next_id = f.next_id
    LEFT JOIN (SELECT DISTINCT k, next_id
      FROM line_followers
      WHERE own = 1) AS e ON e.k = f.k AND e.next_id = f.next_id
    WHERE f.own = 0 AND NOT EXISTS(SELECT 1
      FROM line_followers AS o
      WHERE o.k = f.k AND o.contract_id = f.contract_id AND o.own = 1)) AS p
  WHERE (p.other_currency = 1 OR p.replaces_all = 1 OR p.full_spare >= 0.5 * p.mrr_micros)), numbered AS (SELECT k, center_line, walk, contract_id, next_id, next_starts, mrr_micros, full_spare, other_currency, replaces_all, CAST(DENSE_RANK() OVER (PARTITION BY k, center_line, walk ORDER BY contract_id NULLS LAST) AS STRING) AS line, ROW_NUMBER() OVER (PARTITION BY k, center_line, walk ORDER BY next_starts NULLS LAST, next_mrr DESC, next_id NULLS LAST, mrr_micros DESC, contract_id NULLS LAST) AS n
  FROM (SELECT s.*, SUM(s.apart) OVER (PARTITION BY s.k, s.center_line ORDER BY next_starts, next_mrr DESC, next_id, mrr_micros DESC, contract_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS walk
    FROM (SELECT o.*, CASE WHEN o.next_starts > MAX(o.last_starts) OVER (PARTITION BY o.k, o.center_line ORDER BY next_starts, next_mrr DESC, next_id, mrr_micros DESC, contract_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) THEN 1 ELSE 0 END AS apart
      FROM (SELECT p.*, MAX(p.next_starts) OVER (PARTITION BY p.k, p.contract_id) AS last_starts
        FROM (SELECT a.*, SUM(CASE WHEN a.turn = a.size_rank OR a.other_currency = 1 OR a.replaces_all = 1 THEN 1 ELSE 0 END) OVER (PARTITION BY a.k, a.contract_id ORDER BY a.next_starts, a.next_mrr DESC, a.next_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS settled
          FROM pairs AS a) AS p
        WHERE COALESCE(p.settled, 0) = 0) AS o) AS s) AS t), walked AS (SELECT k, center_line, walk, n, contract_id, next_id, next_starts, CAST(1 AS INT64) AS taken, CAST(full_spare - mrr_micros AS INT64) AS spare, CAST('|' || line || '|' AS STRING) AS followed
  FROM numbered
  WHERE n = 1
  UNION ALL SELECT p.k, p.center_line, p.walk, p.n, p.contract_id, p.next_id, p.next_starts, CAST(CASE WHEN ((p.other_currency = 1 OR p.replaces_all = 1 OR CASE WHEN p.next_id = w.next_id THEN w.spare ELSE p.full_spare END >= 0.5 * p.mrr_micros) AND w.followed NOT LIKE '%|' || p.line || '|%') THEN 1 ELSE 0 END AS INT64) AS taken, CAST(CASE WHEN p.next_id = w.next_id THEN w.spare ELSE p.full_spare END - CASE WHEN ((p.other_currency = 1 OR p.replaces_all = 1 OR CASE WHEN p.next_id = w.next_id THEN w.spare ELSE p.full_spare END >= 0.5 * p.mrr_micros) AND w.followed NOT LIKE '%|' || p.line || '|%') THEN p.mrr_micros ELSE 0 END AS INT64) AS spare, CAST(w.followed || CASE WHEN ((p.other_currency = 1 OR p.replaces_all = 1 OR CASE WHEN p.next_id = w.next_id THEN w.spare ELSE p.full_spare END >= 0.5 * p.mrr_micros) AND w.followed NOT LIKE '%|' || p.line || '|%') THEN p.line || '|' ELSE '' END AS STRING) AS followed
  FROM walked AS w
  JOIN numbered AS p ON p.k = w.k AND p.center_line = w.center_line AND p.walk = w.walk AND p.n = w.n + 1) SELECT k, contract_id, next_id, next_starts
FROM walked
WHERE taken = 1

-- line_successors
SELECT p.k, p.contract_id, p.next_id, p.next_starts, n.later, CASE WHEN p.next_starts < l.runs_until THEN 1 ELSE 0 END AS overlapping
FROM (SELECT k, contract_id, next_id, next_starts
  FROM line_renewals
  WHERE NOT contract_id IS NULL
  UNION ALL SELECT k, contract_id, next_id, next_starts
  FROM (SELECT o.*, ROW_NUMBER() OVER (PARTITION BY o.k, o.contract_id ORDER BY o.next_starts NULLS LAST, o.next_mrr DESC, o.next_id NULLS LAST) AS place
    FROM line_overlaps AS o) AS ranked
  WHERE place = 1
  UNION ALL SELECT k, contract_id, next_id, next_starts
  FROM line_switches) AS p
JOIN line_ends AS l ON l.k = p.k AND l.contract_id = p.contract_id
JOIN line_ends AS n ON n.k = p.k AND n.contract_id = p.next_id

-- line_spells
SELECT l.*, COALESCE(s.next_starts, l.own_until) AS active_until
FROM line_ends AS l
LEFT JOIN (SELECT k, contract_id, MIN(next_starts + later) AS next_starts
  FROM line_successors
  WHERE overlapping = 0
  GROUP BY k, contract_id) AS s ON s.k = l.k AND s.contract_id = l.contract_id

-- rates
SELECT k, currency, rate
FROM (SELECT c.k, f.currency, f.rate, ROW_NUMBER() OVER (PARTITION BY c.k, f.currency ORDER BY f.month DESC) AS newest
  FROM (SELECT currency, rate, month, GREATEST((CAST(DATE_DIFF(CAST(month AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) + 0 - 1, (CAST(DATE_DIFF(CAST(month AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) + 0 - 1) AS counts_after
    FROM fx_rates AS fx_rates) AS f
  JOIN cal AS c ON f.counts_after < c.t) AS ranked
WHERE newest = 1

-- lines
SELECT l.account_id, l.k, l.t, l.contract_id, l.product, l.kind, l.priced_in, l.rate, l.mrr_micros, l.arr_cents, l.list_arr_cents, l.seats, l.auto_renew, l.starts, l.ends, l.term_ends, l.active_until, l.notice, l.overdue, l.before_mrr_micros, l.before_ends, CASE WHEN NOT l.before_mrr_micros IS NULL AND COALESCE(NULLIF(l.before_currency, ''), 'USD') = l.priced_in AND COALESCE(NULLIF(l.before_last_currency, ''), 'USD') = l.priced_in THEN 1 ELSE 0 END AS continues, CASE WHEN l.arr_cents <> 0 AND l.starts <= l.t AND l.t < l.active_until THEN 1 ELSE 0 END AS active
FROM (SELECT s.*, COALESCE(s.currency, 'USD') AS priced_in, CASE WHEN COALESCE(s.currency, 'USD') = 'USD' THEN 1.0 ELSE r.rate END AS rate, CAST(ROUND(12 * s.mrr_micros * CASE WHEN COALESCE(s.currency, 'USD') = 'USD' THEN 1.0 ELSE r.rate END / 10000) AS INT64) AS arr_cents, CAST(ROUND(12 * s.list_mrr_micros * CASE WHEN COALESCE(s.currency, 'USD') = 'USD' THEN 1.0 ELSE r.rate END / 10000) AS INT64) AS list_arr_cents
  FROM (SELECT c.k, c.t, l.account_id, l.contract_id, l.product_line, l.center_line, l.product, l.buying_center, l.currency, l.kind, l.status, l.mrr_micros, l.list_mrr_micros, l.seats, l.auto_renew, l.starts, l.ends, l.later, COALESCE(l.ended, l.ends) AS term_ends, l.notice, b.before_mrr_micros, b.before_ends, b.before_currency, b.before_last_currency, CASE WHEN l.mrr_micros < 0 AND d.active_until > l.active_until THEN d.active_until ELSE l.active_until END AS active_until, CASE WHEN l.graced = 1 AND l.ends <= c.t AND c.t < l.active_until THEN 1 ELSE 0 END AS overdue
    FROM line_spells AS l
    JOIN cal AS c ON c.k >= l.k AND (l.next_k IS NULL OR c.k < l.next_k)
    LEFT JOIN (SELECT p.k, p.next_id, SUM(o.mrr_micros) AS before_mrr_micros, MAX(o.ends) AS before_ends, MIN(COALESCE(o.currency, '')) AS before_currency, MAX(COALESCE(o.currency, '')) AS before_last_currency
      FROM line_successors AS p
      JOIN line_spells AS o ON o.k = p.k AND o.contract_id = p.contract_id
      GROUP BY p.k, p.next_id) AS b ON b.k = l.k AND b.next_id = l.contract_id
    LEFT JOIN (SELECT k, account_id, ends, MAX(active_until) AS active_until
      FROM line_spells
      WHERE mrr_micros >= 0 AND ended IS NULL AND NOT ends IS NULL
      GROUP BY k, account_id, ends) AS d ON d.k = l.k AND d.account_id = l.account_id AND d.ends = l.ends AND l.mrr_micros < 0 AND l.ended IS NULL) AS s
  LEFT JOIN rates AS r ON r.k = s.k AND r.currency = s.currency) AS l

-- attributes
SELECT account_id, k, `segment` AS `attribute_segment`, `name` AS `attribute_name`, `industry` AS `attribute_industry`, `region` AS `attribute_region`, `touch_model` AS `attribute_touch_model`, `fit` AS `attribute_fit`, `technical_fit` AS `attribute_technical_fit`, `functional_fit` AS `attribute_functional_fit`, `experience_fit` AS `attribute_experience_fit`, `support_fit` AS `attribute_support_fit`, `buy_in_fit` AS `attribute_buy_in_fit`, `customer_since` AS `attribute_customer_since`, `pain` AS `attribute_pain`, `impact` AS `attribute_impact`, `decision_criteria` AS `attribute_decision_criteria`, `critical_event` AS `attribute_critical_event`, `use_case` AS `attribute_use_case`, `critical_event_on` AS `attribute_critical_event_on`, `potential_seats` AS `attribute_potential_seats`
FROM (SELECT k, `account_id`, `segment`, `name`, `industry`, `region`, `touch_model`, `fit`, `technical_fit`, `functional_fit`, `experience_fit`, `support_fit`, `buy_in_fit`, `customer_since`, `pain`, `impact`, `decision_criteria`, `critical_event`, `use_case`, `critical_event_on`, `potential_seats`
  FROM (SELECT c.k, v.*, ROW_NUMBER() OVER (PARTITION BY c.k, v.account_id ORDER BY v.hf_valid_day DESC, v.hf_known_day DESC, v.hf_valid DESC, v.hf_recorded DESC) AS hf_newest
    FROM (SELECT `account_id`, `segment`, `name`, `industry`, `region`, `touch_model`, `fit`, `technical_fit`, `functional_fit`, `experience_fit`, `support_fit`, `buy_in_fit`, `customer_since`, `pain`, `impact`, `decision_criteria`, `critical_event`, `use_case`, `critical_event_on`, `potential_seats`, valid_from AS hf_valid, recorded_at AS hf_recorded, COALESCE((CAST(DATE_DIFF(CAST(valid_from AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)), -2000000) AS hf_valid_day, COALESCE((CAST(DATE_DIFF(CAST(recorded_at AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)), COALESCE((CAST(DATE_DIFF(CAST(valid_from AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)), -2000000) + 0) AS hf_known_day
      FROM accounts AS accounts) AS v
    JOIN cal AS c ON v.hf_valid_day < c.t AND v.hf_known_day < c.t) AS ranked
  WHERE hf_newest = 1) AS a

-- spine
SELECT a.account_id, a.k, a.t, a.arr_cents, a.seats, a.term_ends, d.term_days, COALESCE(d.due_cents, 0) AS due_cents, a.overdue_days, a.notice_given, a.notice_cents, CASE WHEN p.account_id IS NULL THEN 0 ELSE 1 END AS presigned, CASE WHEN (CAST(DATE_DIFF(CAST(attribute_customer_since AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) < f.first_start THEN (CAST(DATE_DIFF(CAST(attribute_customer_since AS DATE), CAST('1970-01-01' AS DATE), DAY) AS INT64)) ELSE f.first_start END AS customer_from
FROM (SELECT account_id, k, t, SUM(arr_cents) AS arr_cents, SUM(seats) AS seats, MIN(CASE WHEN arr_cents > 0 THEN term_ends END) AS term_ends, MAX(CASE WHEN overdue = 1 THEN t - term_ends ELSE 0 END) AS overdue_days, MAX(CASE WHEN NOT notice IS NULL THEN 1 ELSE 0 END) AS notice_given, SUM(CASE WHEN NOT notice IS NULL THEN arr_cents ELSE 0 END) AS notice_cents
  FROM lines
  WHERE active = 1
  GROUP BY account_id, k, t HAVING SUM(arr_cents) > 0) AS a
JOIN (SELECT account_id, k, MIN(starts) AS first_start
  FROM lines
  WHERE starts <= t
  GROUP BY account_id, k) AS f ON f.account_id = a.account_id AND f.k = a.k
LEFT JOIN (SELECT l.account_id, l.k, MAX(l.ends - b.began) AS term_days, SUM(l.arr_cents) AS due_cents
  FROM lines AS l
  JOIN (SELECT account_id, k, t, SUM(arr_cents) AS arr_cents, SUM(seats) AS seats, MIN(CASE WHEN arr_cents > 0 THEN term_ends END) AS term_ends, MAX(CASE WHEN overdue = 1 THEN t - term_ends ELSE 0 END) AS overdue_days, MAX(CASE WHEN NOT notice IS NULL THEN 1 ELSE 0 END) AS notice_given, SUM(CASE WHEN NOT notice IS NULL THEN arr_cents ELSE 0 END) AS notice_cents
    FROM lines
    WHERE active = 1
    GROUP BY account_id, k, t HAVING SUM(arr_cents) > 0) AS e ON e.account_id = l.account_id AND e.k = l.k AND e.term_ends = l.term_ends
  LEFT JOIN (SELECT account_id, k, ends, MIN(starts) AS began
    FROM lines
    GROUP BY account_id, k, ends) AS b ON b.account_id = l.account_id AND b.k = l.k AND b.ends = l.ends
  WHERE l.active = 1
  GROUP BY l.account_id, l.k) AS d ON d.account_id = a.account_id AND d.k = a.k
LEFT JOIN (SELECT DISTINCT l.account_id, l.k
  FROM lines AS l
  JOIN (SELECT account_id, k, t, SUM(arr_cents) AS arr_cents, SUM(seats) AS seats, MIN(CASE WHEN arr_cents > 0 THEN term_ends END) AS term_ends, MAX(CASE WHEN overdue = 1 THEN t - term_ends ELSE 0 END) AS overdue_days, MAX(CASE WHEN NOT notice IS NULL THEN 1 ELSE 0 END) AS notice_given, SUM(CASE WHEN NOT notice IS NULL THEN arr_cents ELSE 0 END) AS notice_cents
    FROM lines
    WHERE active = 1
    GROUP BY account_id, k, t HAVING SUM(arr_cents) > 0) AS e ON e.account_id = l.account_id AND e.k = l.k
  WHERE l.arr_cents > 0 AND l.starts > l.t AND l.active_until > l.starts AND l.starts <= e.term_ends + 30 AND l.active_until > e.term_ends) AS p ON p.account_id = a.account_id AND p.k = a.k
LEFT JOIN attributes AS b ON b.account_id = a.account_id AND b.k = a.k
