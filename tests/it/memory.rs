//! Results of any size in bounded memory, through both protocols, for quick readers and slow ones.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::process::Server;
use crate::raw::{BINARY, Raw, TEXT, bind, execute, parse, query, sync};
use crate::trial::{Outcome, ensure, same, trial};

/// Five million rows of about 250 bytes: 1.2 GB on the wire.
const WIDE: &str = "SELECT x, x * 2 AS twice, repeat('x', 200) AS pad, 'row ' || x AS label \
                    FROM generate_series(1, 5000000) AS a (x)";
const WIDE_ROWS: usize = 5_000_000;
/// How much a server may grow over one result.
const GROWTH: u64 = 300 << 20;

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("memory::simple", || async { whole(vec![query(WIDE)]).await }),
        trial("memory::extended", || async {
            whole(vec![parse("", WIDE, &[]), bind("", "", TEXT, &[], BINARY), execute("", 0), sync()]).await
        }),
        trial("memory::largest_max_rows", || async {
            whole(vec![parse("", WIDE, &[]), bind("", "", TEXT, &[], TEXT), execute("", i32::MAX), sync()]).await
        }),
        trial("memory::slow_reader", slow_reader),
        trial("memory::suspended_portals", suspended_portals),
    ]
}

/// A server that has run a statement or two, so that growth is not its first steps.
async fn warm() -> Outcome<(TempDir, Server, Raw)> {
    let folder = TempDir::new()?;
    let server = Server::start(folder.path())?;
    let mut raw = Raw::connect(server.port, &[]).await?;
    raw.ask(&[query("SELECT x, repeat('x', 200) FROM generate_series(1, 50000) AS a (x)")]).await?;
    server.forget_peak()?;
    Ok((folder, server, raw))
}

fn bounded(server: &Server, before: u64) -> Outcome {
    let grown = server.peak()?.saturating_sub(before);
    ensure(grown < GROWTH, format_args!("memory grew by {} MiB", grown >> 20))
}

async fn whole(parts: Vec<Vec<u8>>) -> Outcome {
    let (_folder, server, mut raw) = warm().await?;
    let before = server.memory()?;
    let start = Instant::now();
    raw.send(&parts.concat()).await?;
    let mut first_row = None;
    let mut rows = 0;
    loop {
        let message = raw.next().await?;
        match message.kind {
            'D' => {
                rows += 1;
                first_row.get_or_insert_with(|| start.elapsed());
            }
            'E' => return Err(format!("{:?}", message.fields()).into()),
            'Z' => break,
            _ => {}
        }
    }
    same("rows", rows, WIDE_ROWS)?;
    let first_row = first_row.ok_or("no row")?;
    ensure(first_row < Duration::from_secs(1), format_args!("the first row took {first_row:?}"))?;
    bounded(&server, before)
}

async fn slow_reader() -> Outcome {
    let (_folder, server, mut raw) = warm().await?;
    let before = server.memory()?;
    raw.send(&query(WIDE)).await?;
    // Two thousand rows a second, for a while.
    for _ in 0..20 {
        for _ in 0..200 {
            raw.next().await?;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bounded(&server, before)
}

/// Cursors that are open and not read hold a place, not a result.
async fn suspended_portals() -> Outcome {
    let (_folder, server, mut raw) = warm().await?;
    let before = server.memory()?;
    raw.ask(&[query("BEGIN")]).await?;
    for portal in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let answer =
            raw.ask(&[parse("", WIDE, &[]), bind(portal, "", TEXT, &[], TEXT), execute(portal, 10), sync()]).await?;
        same(portal, crate::raw::kinds(&answer), "12DDDDDDDDDDsZ".to_owned())?;
    }
    bounded(&server, before)?;
    raw.ask(&[query("COMMIT")]).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let load = server.load().await?;
    ensure(load < 0.2, format_args!("work goes on for portals that are gone: load {load:.2}"))
}
