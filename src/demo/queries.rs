//! Five queries worth trying on the demo, printed when it is served.

/// A question and the SQL that answers it.
#[derive(Debug, Clone, Copy)]
pub struct DemoQuery {
    /// The question, in a line.
    pub title: &'static str,
    /// The answer's SQL, with its semicolon.
    pub sql: &'static str,
}

/// The queries, the simplest first.
pub const DEMO_QUERIES: [DemoQuery; 5] = [
    DemoQuery {
        title: "What did the brand take in, month by month, in stores and online?",
        sql: "\
SELECT date_trunc('month', ts)::date AS month, count(DISTINCT profile_id) AS buyers,
       sum(amount) FILTER (WHERE channel = 'store') AS stores,
       sum(amount) FILTER (WHERE channel <> 'store') AS online
FROM events WHERE kind = 'purchase' GROUP BY 1 ORDER BY 1;",
    },
    DemoQuery {
        title: "How far do visits get, on which device?",
        sql: "\
SELECT device, count(*) AS visits, sum(viewed) AS viewed, sum(carted) AS carted, sum(ordered) AS ordered,
       round(100.0 * sum(ordered) / count(*), 1) AS percent
FROM (
  SELECT session_id, device, max((kind = 'product_view')::int) AS viewed, max((kind = 'cart')::int) AS carted,
         max((kind = 'purchase')::int) AS ordered
  FROM events WHERE session_id IS NOT NULL GROUP BY session_id, device
) AS visit
GROUP BY device ORDER BY visits DESC;",
    },
    DemoQuery {
        title: "Who are the best customers, by recency, frequency and money?",
        sql: "\
WITH buyers AS (
  SELECT profile_id, max(ts) AS last_purchase, count(DISTINCT order_id) AS orders, sum(amount) AS spent
  FROM events WHERE kind = 'purchase' GROUP BY profile_id
), scores AS (
  SELECT spent, ntile(5) OVER (ORDER BY last_purchase, profile_id) AS recency,
         ntile(5) OVER (ORDER BY orders, spent, profile_id) AS frequency
  FROM buyers
)
SELECT CASE WHEN recency >= 4 AND frequency >= 4 THEN 'champions'
            WHEN frequency >= 4 THEN 'once loyal, now away'
            WHEN recency >= 4 THEN 'new or occasional'
            ELSE 'drifting' END AS segment,
       count(*) AS customers, round(avg(spent), 2) AS average, sum(spent) AS total
FROM scores GROUP BY 1 ORDER BY total DESC;",
    },
    DemoQuery {
        title: "Which letters and advertisements sold something within a week of a click?",
        sql: "\
WITH last_clicks AS (
  SELECT o.order_id, o.amount, c.campaign_id,
         row_number() OVER (PARTITION BY o.order_id ORDER BY c.ts DESC, c.campaign_id) AS nearest
  FROM (SELECT order_id, profile_id, min(ts) AS ts, sum(amount) AS amount
        FROM events WHERE kind = 'purchase' GROUP BY order_id, profile_id) AS o
  JOIN events AS c ON c.profile_id = o.profile_id AND c.kind IN ('email_click', 'ad_click')
   AND c.ts BETWEEN o.ts - interval '7 days' AND o.ts
)
SELECT k.name, k.channel, k.cost, count(*) AS orders, sum(l.amount) AS sold
FROM last_clicks AS l JOIN campaigns AS k ON k.campaign_id = l.campaign_id
WHERE l.nearest = 1 GROUP BY k.name, k.channel, k.cost ORDER BY sold DESC, k.name LIMIT 10;",
    },
    DemoQuery {
        title: "Where are the buyers we lost, and how many of them may we write to?",
        sql: "\
SELECT p.region, count(*) AS lapsed, count(r.profile_id) AS reachable, sum(l.spent) AS had_spent
FROM segments.lapsed_buyers AS l
JOIN profiles AS p ON p.profile_id = l.profile_id
LEFT JOIN segments.reachable_by_email AS r ON r.profile_id = l.profile_id
GROUP BY p.region ORDER BY lapsed DESC, p.region;",
    },
];
