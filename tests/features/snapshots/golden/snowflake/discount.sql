-- discount: an aggregate over contract lines

-- line_columns
SELECT account_id, k, SUM(CASE WHEN active = 1 AND list_arr_cents > 0 THEN arr_cents ELSE 0 END) AS line_priced, SUM(CASE WHEN active = 1 AND list_arr_cents > 0 THEN list_arr_cents ELSE 0 END) AS line_list
FROM lines
GROUP BY account_id, k

-- the feature
SELECT spine.account_id, spine.k, CAST(1 - CAST(line_priced AS DOUBLE) / NULLIF(CAST(line_list AS DOUBLE), 0) AS DOUBLE) AS "discount"
FROM spine
LEFT JOIN attributes AS attributes ON attributes.account_id = spine.account_id AND attributes.k = spine.k
LEFT JOIN line_columns AS line_columns ON line_columns.account_id = spine.account_id AND line_columns.k = spine.k
