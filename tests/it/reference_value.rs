//! Models of customer value beside the figures that were published for them.

use libtest_mimic::Trial;

use crate::trial::{Outcome, same, trial};
use crate::warehouse::{Served, value};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![trial("reference_value::clv", clv)]
}

/// 2,357 customers of CDNOW, a seller of music, that the papers of the BG/NBD and the Gamma-Gamma model use; what to
/// expect of them by the Python package lifetimes.
const CDNOW: &str = include_str!("data/clv_cdnow.csv");

async fn clv() -> Outcome {
    let server = Served::start().await?;
    let client = server.connect().await?;
    client
        .batch_execute(
            "CREATE TABLE cdnow (id integer, x integer, t_x double precision, t double precision, z double precision, \
             p_alive double precision, purchases double precision, value double precision, clv double precision)",
        )
        .await?;
    let rows: Vec<String> = CDNOW.lines().skip(1).map(|line| format!("({line})")).collect();
    same("customers", rows.len(), 2357)?;
    for some in rows.chunks(500) {
        client.batch_execute(&format!("INSERT INTO cdnow VALUES {}", some.join(", "))).await?;
    }
    client
        .batch_execute(
            "CREATE VIEW fitted AS SELECT bgnbd_fit(x, t_x, t) AS bg, gg_fit(x, z) AS gg FROM cdnow; \
             CREATE VIEW lifetimes AS SELECT named_struct('r', 0.24259292827982182, 'alpha', 4.413532265271819, \
             'a', 0.7928859664406882, 'b', 2.42575238262586) AS bg, \
             named_struct('p', 6.248802496075312, 'q', 3.744588460923114, 'v', 15.44774806492914) AS gg",
        )
        .await?;
    // The parameters that maximise the likelihood, by lifetimes and by SciPy.
    let parameters = "SELECT abs(bg['r'] - 0.242593) < 1e-5 AND abs(bg['alpha'] - 4.413532) < 1e-5 \
                      AND abs(bg['a'] - 0.792886) < 1e-5 AND abs(bg['b'] - 2.425753) < 1e-5 \
                      AND abs(bg['log_likelihood'] + 9582.42556056736) < 1e-6 AND bg['n'] = 2357 \
                      AND abs(gg['p'] - 6.248802) < 1e-5 AND abs(gg['q'] - 3.744588) < 1e-5 \
                      AND abs(gg['v'] - 15.447748) < 1e-5 AND abs(gg['log_likelihood'] + 4055.9232435) < 1e-6 \
                      AND gg['n'] = 946 FROM fitted";
    same("parameters as published", value(&client, parameters).await?.as_str(), "t")?;
    let wrong = "SELECT count(*) FROM cdnow, lifetimes WHERE NOT (abs(bgnbd_p_alive(bg, x, t_x, t) - p_alive) < 1e-6 \
                 AND abs(bgnbd_expected(bg, 39, x, t_x, t) - purchases) < 1e-6 \
                 AND abs(gg_expected(gg, x, z) - value) < 1e-6 \
                 AND abs(clv(bg, gg, x, t_x, t, z, 12, 0.01) - clv) < 1e-6)";
    same("customers otherwise than by lifetimes", value(&client, wrong).await?.as_str(), "0")?;
    server.stop().await
}
