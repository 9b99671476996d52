//! `clv_summary('orders', 'customer_id', 'at', 'amount', …)`: what models of customer lifetime value know of a customer.
//!
//! As Fader and Hardie count, and the Python package lifetimes: the purchases of one day are one; x is how many there
//! were after the first, t_x the time from the first to the last, t the time from the first to the end of observation,
//! and z the mean value of those after the first.

use datafusion::sql::sqlparser::ast::Query;

use super::Macro;
use super::call::Call;
use super::template;
use crate::error::Result;

pub(super) const CLV_SUMMARY: Macro = Macro {
    name: "clv_summary",
    syntax: "clv_summary(table, customer, ts, amount [, end => now()] [, unit => 'week'])",
    description: "What bgnbd_fit, gg_fit and clv take, for every customer of a table of orders: id, x (repeat purchases, \
                  where those of one day are one), t_x (time of the last one since the first purchase), t (time of the \
                  end of observation since then) and z (mean value of repeat purchases, NULL without any). Times are in \
                  weeks, which clv wants, or with unit => 'day' in days. The day of end still counts; rows after it, and \
                  those without customer or time, do not. An amount of NULL counts as 0.",
    expand,
};

fn expand(call: &mut Call) -> Result<Query> {
    let source = call.source("table")?;
    let customer = call.column("customer")?;
    let ts = call.column("ts")?;
    let amount = call.column("amount")?;
    let end = call.option("end");
    let days = match call.word("unit", &["day", "week"])? {
        Some("day") => 1,
        _ => 7,
    };
    let last_day = if end.is_some() { "CAST(\"$end\" AS date)" } else { "CAST(now() AS date)" };
    let sql = format!(
        r#"SELECT id, count(*) - 1 AS x, CAST(max(day) - first_day AS double precision) / {days} AS t_x,
            CAST({last_day} - first_day AS double precision) / {days} AS t,
            avg(value) FILTER (WHERE day > first_day) AS z
        FROM (
            SELECT id, day, value, min(day) OVER (PARTITION BY id) AS first_day
            FROM (
                SELECT "$customer" AS id, CAST("$ts" AS date) AS day,
                    CAST(coalesce(sum("$amount"), 0) AS double precision) AS value
                FROM "$source"
                WHERE "$customer" IS NOT NULL AND CAST("$ts" AS date) <= {last_day}
                GROUP BY "$customer", CAST("$ts" AS date)
            ) AS days
        ) AS purchases
        GROUP BY id, first_day"#
    );
    let mut slots = vec![("customer", customer), ("ts", ts), ("amount", amount)];
    slots.extend(end.map(|end| ("end", end)));
    template::fill(&sql, [("source", source)], &slots)
}
