//! `audiencedb demo`: a warehouse to try things on, made if it is not there, then served.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use audiencedb::{DEMO_QUERIES, DemoEvent, DemoOptions, Engine, Result};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use parking_lot::Mutex;

use super::serve::Serve;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// How many profiles to make up; there are about twenty events to each [default: 100000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    profiles: Option<u64>,
    /// What to make them from; the same seed gives the same rows [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=i64::MAX as u64))]
    seed: Option<u64>,
    #[command(flatten)]
    serve: Serve,
}

impl Demo {
    pub(crate) async fn run(self) -> Result<()> {
        let options = DemoOptions { profiles: self.profiles, seed: self.seed };
        self.serve
            .run_prepared(async move |engine: &Arc<Engine>| Box::pin(make(engine, options)).await, |_, at| greet(at))
            .await
    }
}

async fn make(engine: &Arc<Engine>, options: DemoOptions) -> Result<()> {
    let mut session = engine.session("postgres", "audience")?;
    let bar = ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("{spinner} {prefix}: {msg}, {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    bar.enable_steady_tick(Duration::from_millis(200));
    let started = Instant::now();
    let shown = bar.clone();
    // Rows of the table at hand: made, and written.
    let rows = Mutex::new((0u64, 0u64));
    let observer = Arc::new(move |event: DemoEvent| {
        let mut rows = rows.lock();
        match event {
            DemoEvent::Table { name, number, of } => {
                *rows = (0, 0);
                shown.set_prefix(format!("{name} ({number} of {of})"));
            }
            DemoEvent::Made(more) => rows.0 += more,
            DemoEvent::Written(more) => rows.1 += more,
            DemoEvent::Done { rows, files } => {
                let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
                super::line(&shown, format!("{}: {} rows in {files}", shown.prefix(), HumanCount(rows)));
            }
        }
        shown.set_message(format!("{} rows made, {} written", HumanCount(rows.0.max(rows.1)), HumanCount(rows.1)));
    });
    let outcome = session.demo(options, observer).await;
    bar.finish_and_clear();
    let demo = outcome?;
    if demo.created {
        println!("the demo was made in {:.1} s", started.elapsed().as_secs_f64());
    } else {
        println!("the demo is there: {} profiles, seed {}", HumanCount(demo.profiles), demo.seed);
    }
    Ok(())
}

/// What to do next.
fn greet(address: SocketAddr) {
    println!("\nConnect with\n\n  psql -h {} -p {} -U postgres audience\n", address.ip(), address.port());
    println!("and try these. The demo's today is 2026-01-01; \\d events and the comments say what is in it.");
    for query in DEMO_QUERIES {
        println!("\n-- {}\n{}", query.title, query.sql);
    }
    println!();
}
