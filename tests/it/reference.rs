//! Functions beside figures that other programs computed: the rows of tests/it/data.

use libtest_mimic::Trial;

use crate::trial::{Outcome, same, trial};
use crate::warehouse::{Served, value};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![trial("reference::rfm", rfm)]
}

/// 2,357 customers of CDNOW, a seller of music: five methods by pandas, NumPy and a replica of R's package `rfm` that
/// gives its published example.
const CDNOW: &str = include_str!("data/rfm_cdnow_sample.csv");

async fn rfm() -> Outcome {
    let server = Served::start().await?;
    let client = server.connect().await?;
    let (header, lines) = CDNOW.split_once('\n').unwrap_or_default();
    let columns = header.split(',').map(|name| match name.rsplit('_').next() {
        Some("last") => format!("{name} date"),
        Some("segment") => format!("{name} text"),
        Some("monetary") => format!("{name} double precision"),
        _ => format!("{name} integer"),
    });
    client.batch_execute(&format!("CREATE TABLE cdnow ({})", columns.collect::<Vec<_>>().join(", "))).await?;
    let rows = lines.lines().map(|line| {
        let values = line.split(',').map(|value| format!("'{}'", value.replace('\'', "''")));
        format!("({})", values.collect::<Vec<_>>().join(", "))
    });
    let rows: Vec<String> = rows.collect();
    same("customers", rows.len(), 2357)?;
    for some in rows.chunks(500) {
        client.batch_execute(&format!("INSERT INTO cdnow VALUES {}", some.join(", "))).await?;
    }
    for method in ["quantile", "ntile", "r_rfm", "cume_dist", "percent_rank"] {
        let wrong = value(
            &client,
            &format!(
                "SELECT count(*) FROM (SELECT *, rfm_score(recency, 5, '{method}', 'desc') OVER (ORDER BY id) AS r, \
                 rfm_score(frequency, 5, '{method}') OVER (ORDER BY id) AS f, \
                 rfm_score(monetary, 5, '{method}') OVER (ORDER BY id) AS m FROM cdnow) AS scored \
                 WHERE (r, f, m) IS DISTINCT FROM ({method}_r, {method}_f, {method}_m) \
                 OR rfm_segment(r, f, m) IS DISTINCT FROM {method}_segment"
            ),
        )
        .await?;
        same(&format!("customers that {method} scores otherwise"), wrong.as_str(), "0")?;
    }
    server.stop().await
}
