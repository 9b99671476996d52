//! `rfm('orders', 'customer_id', 'at', 'amount', …)`: recency, frequency and monetary value of every customer, scored.
//!
//! Definitions as in R's package `rfm`: recency is the number of days from the last order to `as_of`, frequency the
//! number of orders, monetary the sum of the amounts. Orders after `as_of` do not count, so that the past can be
//! asked for, and a planned order changes nothing.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const RFM: Macro = Macro {
    name: "rfm",
    syntax: "rfm(table, customer, ts, amount [, as_of => now()] [, order_id => column] [, bins => 5] \
             [, method => 'quantile'] [, map => 'rfm_0_3'])",
    description: "Scores every customer of a table of orders: id, recency_days, frequency, monetary, r, f, m, cell \
                  (100r + 10f + m) and segment. Rows without customer or time, and those after as_of, do not count; an \
                  amount of NULL counts as 0. Every row is an order unless order_id names the column that tells them \
                  apart. The published maps are for 5 bins: with other bins the segment is NULL unless a map is given.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let source = call.source("table")?;
    let customer = call.column("customer")?;
    let ts = call.column("ts")?;
    let amount = call.column("amount")?;
    let as_of = call.option("as_of");
    let order_id = call.optional_column("order_id")?;
    let bins = call.integer("bins", 2, 9)?.unwrap_or(5);
    let methods = ["quantile", "ntile", "r_rfm", "cume_dist", "percent_rank"];
    let method = call.word("method", &methods)?.unwrap_or("quantile");
    let map = call.option("map");
    let orders = if order_id.is_some() { "count(DISTINCT \"$order_id\")" } else { "count(*)" };
    // Ties are split by ntile alone; the other methods are spared the sort.
    let window = if method == "ntile" { "ORDER BY id" } else { "" };
    let instant = if as_of.is_some() { "\"$as_of\"" } else { "now()" };
    let segment = match (&map, bins) {
        (Some(_), _) => "rfm_segment(r, f, m, \"$map\")",
        (None, 5) => "rfm_segment(r, f, m)",
        (None, _) => "CAST(NULL AS text)",
    };
    let sql = format!(
        r#"SELECT id, recency_days, frequency, monetary, r, f, m, 100 * r + 10 * f + m AS cell, {segment} AS segment
        FROM (
            SELECT id, recency_days, frequency, monetary,
                rfm_score(recency_days, {bins}, '{method}', 'desc') OVER ({window}) AS r,
                rfm_score(frequency, {bins}, '{method}') OVER ({window}) AS f,
                rfm_score(monetary, {bins}, '{method}') OVER ({window}) AS m
            FROM (
                SELECT "$customer" AS id, CAST({instant} AS date) - CAST(max("$ts") AS date) AS recency_days,
                    {orders} AS frequency, coalesce(sum("$amount"), 0) AS monetary
                FROM "$source"
                WHERE "$customer" IS NOT NULL AND "$ts" IS NOT NULL AND "$ts" <= {instant}
                GROUP BY "$customer"
            ) AS customers
        ) AS scored"#
    );
    let mut slots = vec![("customer", customer), ("ts", ts), ("amount", amount)];
    let options = [("as_of", as_of), ("order_id", order_id), ("map", map)];
    slots.extend(options.into_iter().filter_map(|(name, value)| Some((name, value?))));
    template::fill(&sql, [("source", source)], &slots)
}
