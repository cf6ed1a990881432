-- spine: every account with ARR at each snapshot

-- known_lines
WITH versions AS (SELECT r.*, LEAD(r.kv) OVER (PARTITION BY r.contract_id ORDER BY r.known_day NULLS LAST, r.version) AS next_kv
  FROM (SELECT e.*, b.k AS kv
    FROM (SELECT account_id, contract_id, product AS product, kind AS kind, buying_center AS buying_center, currency AS currency, CAST(mrr * 100 AS BIGINT) AS mrr_cents, CAST(list_mrr * 100 AS BIGINT) AS list_mrr_cents, seats AS seats, auto_renew AS auto_renew, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(starts_on AS DATE)) AS BIGINT)) AS starts, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(ends_on AS DATE)) AS BIGINT)) AS ends, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(ended_on AS DATE)) AS BIGINT)) AS ended, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(notice_on AS DATE)) AS BIGINT)) AS notice, DENSE_RANK() OVER (ORDER BY account_id NULLS LAST, COALESCE(buying_center, '') NULLS LAST, COALESCE(product, '') NULLS LAST) AS product_line, DENSE_RANK() OVER (ORDER BY account_id NULLS LAST, COALESCE(buying_center, '') NULLS LAST) AS center_line, recorded_at AS version, COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(signed_on AS DATE)) AS BIGINT)), (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(starts_on AS DATE)) AS BIGINT))) AS signed, COALESCE(GREATEST((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)), COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(signed_on AS DATE)) AS BIGINT)), (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)))), COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(signed_on AS DATE)) AS BIGINT)), (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(starts_on AS DATE)) AS BIGINT))) + 0) AS known_day
      FROM contracts AS contracts) AS e
    JOIN day_first AS b ON b.day = CASE WHEN e.known_day < 19630 THEN 19630 ELSE e.known_day END) AS r), news AS (SELECT center_line, kv AS k
  FROM versions UNION SELECT center_line, next_kv
  FROM versions
  WHERE NOT next_kv IS NULL UNION SELECT v.center_line, b.k
  FROM versions AS v
  JOIN day_first AS b ON b.day = v.ended + 0 AND b.day >= 19630 UNION SELECT v.center_line, b.k
  FROM versions AS v
  JOIN day_first AS b ON b.day = v.notice + 0 AND b.day >= 19630) SELECT l.*, (l.starts - l.starts % 31) AS bucket, CASE WHEN l.replaced_on < l.runs_until THEN l.replaced_on ELSE l.runs_until END AS stops, CASE WHEN l.ended IS NULL AND l.notice IS NULL AND l.ends > l.starts AND (l.replaced_on IS NULL OR l.replaced_on >= l.ends) THEN 1 ELSE 0 END AS graced
FROM (SELECT c.*, MIN(CASE WHEN NOT c.product IS NULL AND c.runs_until > c.starts THEN c.starts END) OVER (PARTITION BY c.k, c.product_line ORDER BY c.starts NULLS LAST RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS replaced_on
  FROM (SELECT k.*, COALESCE(k.ended, k.ends, 2000000) AS runs_until
    FROM (SELECT c.k, c.next_k, v.account_id, v.contract_id, v.product, v.kind, v.buying_center, v.currency, v.mrr_cents, v.list_mrr_cents, v.seats, v.auto_renew, v.starts, v.ends, v.product_line, v.center_line, CASE WHEN v.ended + 0 < c.t OR v.notice + 0 < c.t THEN v.ended END AS ended, CASE WHEN v.notice + 0 < c.t THEN v.notice END AS notice
      FROM versions AS v
      JOIN (SELECT n.*, s.t, LEAD(n.k) OVER (PARTITION BY n.center_line ORDER BY n.k NULLS LAST) AS next_k
        FROM news AS n
        JOIN cal AS s ON s.k = n.k) AS c ON c.center_line = v.center_line AND c.k >= v.kv AND (v.next_kv IS NULL OR c.k < v.next_kv)) AS k) AS c) AS l

-- line_followers
SELECT l.k, l.contract_id, s.contract_id AS next_id, s.starts AS next_starts, CASE WHEN s.product_line = l.product_line THEN 1 ELSE 0 END AS same_product
FROM (SELECT k, contract_id, product_line, center_line, ends, (ends - ends % 31) AS bucket
  FROM known_lines
  WHERE NOT ends IS NULL
  UNION ALL SELECT k, contract_id, product_line, center_line, ends, ((ends + 30) - (ends + 30) % 31) AS bucket
  FROM known_lines
  WHERE NOT ends IS NULL AND ((ends + 30) - (ends + 30) % 31) <> (ends - ends % 31)) AS l
JOIN known_lines AS s ON s.k = l.k AND s.center_line = l.center_line AND s.bucket = l.bucket
WHERE s.contract_id <> l.contract_id AND s.starts >= l.ends AND s.starts <= l.ends + 30 AND s.stops > s.starts AND (s.product_line = l.product_line OR s.kind IS NULL OR NOT s.kind IN ('upsell', 'cross_sell'))

-- renewed_lines
SELECT r.*, MAX(r.until) OVER (PARTITION BY r.k, r.product_line ORDER BY r.starts NULLS LAST RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS product_until
FROM (SELECT l.*, CASE WHEN f.next_starts IS NULL THEN 0 ELSE 1 END AS renewed, CASE WHEN l.graced = 0 THEN l.stops ELSE COALESCE(f.next_starts, l.ends + 30) END AS until
  FROM known_lines AS l
  LEFT JOIN (SELECT k, contract_id, MIN(next_starts) AS next_starts
    FROM line_followers
    WHERE same_product = 1
    GROUP BY k, contract_id) AS f ON f.k = l.k AND f.contract_id = l.contract_id) AS r

-- line_successors
SELECT f.k, f.contract_id, f.next_id, f.next_starts
FROM line_followers AS f
JOIN renewed_lines AS l ON l.k = f.k AND l.contract_id = f.contract_id
JOIN renewed_lines AS n ON n.k = f.k AND n.contract_id = f.next_id
WHERE f.same_product = 1 OR (l.renewed = 0 AND (n.product_until IS NULL OR n.product_until < n.starts))

-- rates
SELECT k, currency, rate
FROM (SELECT c.k, f.currency, f.rate, ROW_NUMBER() OVER (PARTITION BY c.k, f.currency ORDER BY f.month DESC) AS newest
  FROM (SELECT currency, rate, month, GREATEST((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(month AS DATE)) AS BIGINT)) + 0 - 1, (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(month AS DATE)) AS BIGINT)) + 0 - 1) AS counts_after
    FROM fx_rates AS fx_rates) AS f
  JOIN cal AS c ON f.counts_after < c.t) AS ranked
WHERE newest = 1

-- lines
SELECT l.account_id, l.k, l.t, l.contract_id, l.product, l.kind, l.priced_in, l.rate, l.mrr_cents, l.arr_cents, l.list_arr_cents, l.seats, l.auto_renew, l.starts, l.ends, l.term_ends, l.active_until, l.notice, l.overdue, l.before_mrr_cents, l.before_ends, CASE WHEN l.before_until >= l.starts AND COALESCE(l.before_currency, 'USD') = l.priced_in THEN 1 ELSE 0 END AS continues, CASE WHEN l.arr_cents > 0 AND l.starts <= l.t AND l.t < l.active_until THEN 1 ELSE 0 END AS active
FROM (SELECT s.*, COALESCE(s.currency, 'USD') AS priced_in, CASE WHEN COALESCE(s.currency, 'USD') = 'USD' THEN 1.0 ELSE r.rate END AS rate, CAST(ROUND(12 * s.mrr_cents * CASE WHEN COALESCE(s.currency, 'USD') = 'USD' THEN 1.0 ELSE r.rate END) AS BIGINT) AS arr_cents, CAST(ROUND(12 * s.list_mrr_cents * CASE WHEN COALESCE(s.currency, 'USD') = 'USD' THEN 1.0 ELSE r.rate END) AS BIGINT) AS list_arr_cents
  FROM (SELECT c.k, c.t, b.account_id, b.contract_id, b.product_line, b.product, b.buying_center, b.currency, b.kind, b.mrr_cents, b.list_mrr_cents, b.seats, b.auto_renew, b.starts, b.ends, b.term_ends, b.active_until, b.notice, b.before_mrr_cents, b.before_until, b.before_currency, b.before_ends, CASE WHEN b.graced = 1 AND b.ends <= c.t AND c.t < b.active_until THEN 1 ELSE 0 END AS overdue
    FROM (SELECT e.*, LAG(e.mrr_cents) OVER same_product AS before_mrr_cents, LAG(e.active_until) OVER same_product AS before_until, LAG(e.currency) OVER same_product AS before_currency, LAG(e.ends) OVER same_product AS before_ends
      FROM (SELECT l.*, COALESCE(l.ended, l.ends) AS term_ends, CASE WHEN l.graced = 1 THEN COALESCE(s.next_starts, l.until) ELSE l.until END AS active_until
        FROM renewed_lines AS l
        LEFT JOIN (SELECT k, contract_id, MIN(next_starts) AS next_starts
          FROM line_successors
          GROUP BY k, contract_id) AS s ON s.k = l.k AND s.contract_id = l.contract_id) AS e WINDOW same_product AS (PARTITION BY e.k, e.product_line ORDER BY e.starts NULLS LAST, e.contract_id NULLS LAST)) AS b
    JOIN cal AS c ON c.k >= b.k AND (b.next_k IS NULL OR c.k < b.next_k)) AS s
  LEFT JOIN rates AS r ON r.k = s.k AND r.currency = s.currency) AS l

-- attributes
SELECT account_id, k, `segment` AS `attribute_segment`, `name` AS `attribute_name`, `industry` AS `attribute_industry`, `region` AS `attribute_region`, `touch_model` AS `attribute_touch_model`, `fit` AS `attribute_fit`, `technical_fit` AS `attribute_technical_fit`, `functional_fit` AS `attribute_functional_fit`, `experience_fit` AS `attribute_experience_fit`, `support_fit` AS `attribute_support_fit`, `buy_in_fit` AS `attribute_buy_in_fit`, `customer_since` AS `attribute_customer_since`
FROM (SELECT k, `account_id`, `segment`, `name`, `industry`, `region`, `touch_model`, `fit`, `technical_fit`, `functional_fit`, `experience_fit`, `support_fit`, `buy_in_fit`, `customer_since`
  FROM (SELECT c.k, v.*, ROW_NUMBER() OVER (PARTITION BY c.k, v.account_id ORDER BY v.hf_valid_day DESC, v.hf_known_day DESC, v.hf_valid DESC, v.hf_recorded DESC) AS hf_newest
    FROM (SELECT `account_id`, `segment`, `name`, `industry`, `region`, `touch_model`, `fit`, `technical_fit`, `functional_fit`, `experience_fit`, `support_fit`, `buy_in_fit`, `customer_since`, valid_from AS hf_valid, recorded_at AS hf_recorded, COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(valid_from AS DATE)) AS BIGINT)), -2000000) AS hf_valid_day, COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(recorded_at AS DATE)) AS BIGINT)), COALESCE((CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(valid_from AS DATE)) AS BIGINT)), -2000000) + 0) AS hf_known_day
      FROM accounts AS accounts) AS v
    JOIN cal AS c ON v.hf_valid_day < c.t AND v.hf_known_day < c.t) AS ranked
  WHERE hf_newest = 1) AS a

-- spine
SELECT a.account_id, a.k, a.t, a.arr_cents, a.seats, a.term_ends, d.term_days, COALESCE(d.due_cents, 0) AS due_cents, a.overdue_days, a.notice_given, a.notice_cents, CASE WHEN p.account_id IS NULL THEN 0 ELSE 1 END AS presigned, CASE WHEN (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(attribute_customer_since AS DATE)) AS BIGINT)) < f.first_start THEN (CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(attribute_customer_since AS DATE)) AS BIGINT)) ELSE f.first_start END AS customer_from
FROM (SELECT account_id, k, t, SUM(arr_cents) AS arr_cents, SUM(seats) AS seats, MIN(term_ends) AS term_ends, MAX(CASE WHEN overdue = 1 THEN t - term_ends ELSE 0 END) AS overdue_days, MAX(CASE WHEN NOT notice IS NULL THEN 1 ELSE 0 END) AS notice_given, SUM(CASE WHEN NOT notice IS NULL THEN arr_cents ELSE 0 END) AS notice_cents
  FROM lines
  WHERE active = 1
  GROUP BY account_id, k, t) AS a
JOIN (SELECT account_id, k, MIN(starts) AS first_start
  FROM lines
  WHERE starts <= t
  GROUP BY account_id, k) AS f ON f.account_id = a.account_id AND f.k = a.k
LEFT JOIN (SELECT l.account_id, l.k, MAX(l.ends - b.began) AS term_days, SUM(l.arr_cents) AS due_cents
  FROM lines AS l
  JOIN (SELECT account_id, k, t, SUM(arr_cents) AS arr_cents, SUM(seats) AS seats, MIN(term_ends) AS term_ends, MAX(CASE WHEN overdue = 1 THEN t - term_ends ELSE 0 END) AS overdue_days, MAX(CASE WHEN NOT notice IS NULL THEN 1 ELSE 0 END) AS notice_given, SUM(CASE WHEN NOT notice IS NULL THEN arr_cents ELSE 0 END) AS notice_cents
    FROM lines
    WHERE active = 1
    GROUP BY account_id, k, t) AS e ON e.account_id = l.account_id AND e.k = l.k AND e.term_ends = l.term_ends
  LEFT JOIN (SELECT account_id, k, ends, MIN(starts) AS began
    FROM lines
    GROUP BY account_id, k, ends) AS b ON b.account_id = l.account_id AND b.k = l.k AND b.ends = l.ends
  WHERE l.active = 1
  GROUP BY l.account_id, l.k) AS d ON d.account_id = a.account_id AND d.k = a.k
LEFT JOIN (SELECT DISTINCT l.account_id, l.k
  FROM lines AS l
  JOIN (SELECT account_id, k, t, SUM(arr_cents) AS arr_cents, SUM(seats) AS seats, MIN(term_ends) AS term_ends, MAX(CASE WHEN overdue = 1 THEN t - term_ends ELSE 0 END) AS overdue_days, MAX(CASE WHEN NOT notice IS NULL THEN 1 ELSE 0 END) AS notice_given, SUM(CASE WHEN NOT notice IS NULL THEN arr_cents ELSE 0 END) AS notice_cents
    FROM lines
    WHERE active = 1
    GROUP BY account_id, k, t) AS e ON e.account_id = l.account_id AND e.k = l.k
  WHERE l.arr_cents > 0 AND l.starts > l.t AND l.active_until > l.starts AND l.starts <= e.term_ends + 30 AND l.active_until > e.term_ends) AS p ON p.account_id = a.account_id AND p.k = a.k
LEFT JOIN attributes AS b ON b.account_id = a.account_id AND b.k = a.k
