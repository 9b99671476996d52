-- What an analyst does in psql: look, format, ask for a query's columns, make a mistake, go on.
\set VERBOSITY default
\pset null '(null)'
SELECT household_id, name, joined FROM households ORDER BY household_id;
\x on
SELECT * FROM purchases WHERE purchase_id = 3;
\x off
\pset format csv
SELECT department, count(*) AS n, sum(amount) AS total FROM purchases GROUP BY department ORDER BY total DESC;
\pset format aligned
SELECT purchase_id, department, amount, bought_at, bought_at::date AS day, now() AS moment, amount > 10 AS large FROM purchases \gdesc
SELECT nmae FROM households;
\echo SQLSTATE :SQLSTATE
SELECT name FROM households WHERE household_id = 2 \gset
\echo hello :name
SELECT count(*) AS n FROM purchases; SELECT 'second' AS statement;
BEGIN;
INSERT INTO households VALUES (9, 'Nobody', NULL);
SELECT count(*) FROM households;
ROLLBACK;
SELECT count(*) FROM households;
\set small 20
SELECT purchase_id FROM purchases WHERE amount < :small ORDER BY 1;
CREATE VIEW spenders AS SELECT household_id, sum(amount) AS total FROM purchases GROUP BY household_id;
SELECT * FROM spenders ORDER BY household_id;
DROP VIEW spenders;

-- Rows in parts, by a cursor.
\set FETCH_COUNT 2
SELECT purchase_id, department FROM purchases ORDER BY purchase_id;
SELECT n FROM generate_series(1, 5) AS g (n) WHERE n > 9;
SELECT 6 / (3 - n) AS quotient FROM generate_series(1, 2) AS g (n) ORDER BY n;
\unset FETCH_COUNT
