//! AudienceDB: a SQL engine for marketing audiences, embedded or behind the PostgreSQL wire protocol.
//!
//! The life of a query, and where to find each step:
//!
//! 1. A caller holds a [`Session`] of an [`Engine`]. Over the wire `server` holds it for a connection; embedded, you do.
//! 2. [`Session::parse`] cuts the text into statements (`statement::parse`), each with its place in the text.
//! 3. [`Session::prepare`] takes a snapshot of the catalog and plans the statement: names resolved, views expanded,
//!    types checked (`engine::Planner`).
//! 4. [`Session::execute`] puts the parameters in, optimizes, and runs it. Each kind of statement has its file in
//!    `statement`.
//! 5. Reads scan the files of one table version (`catalog::table`); writes stage files and commit them to the
//!    warehouse's log (`catalog::Warehouse`).
//! 6. [`Rows`] come batch by batch; dropping them stops the work.
//!
//! ```no_run
//! # async fn example() -> audiencedb::Result<()> {
//! use audiencedb::{Engine, EngineOptions, Execution, format_batch};
//! use futures::StreamExt;
//!
//! let engine = Engine::open(EngineOptions::new("audiencedb-data")).await?;
//! let mut session = engine.session("postgres", "audience")?;
//! session
//!     .run("SELECT count(*) FROM public.profiles", async |session, execution| {
//!         if let Execution::Rows(mut rows) = execution {
//!             while let Some(batch) = rows.next().await {
//!                 println!("{:?}", format_batch(&batch?, session)?);
//!             }
//!         }
//!         Ok(())
//!     })
//!     .await?;
//! engine.close().await
//! # }
//! ```

mod copy;
mod demo;
mod engine;
mod error;
mod information_schema;
mod load;
mod macros;
mod metrics;
pub mod monitor;
mod pg_catalog;
mod privileges;
pub mod server;
mod session;
mod statement;
mod text;
mod values;

pub use demo::{DEMO_QUERIES, Demo, DemoEvent, DemoObserver, DemoOptions, DemoQuery};
pub use engine::{AdmissionOptions, BackgroundMaintenance, Engine, EngineOptions, MaintenanceOptions};
pub use error::{Error, Result, SqlState};
pub use load::{LoadEvent, LoadFormat, LoadObserver, LoadOptions, Loaded, OnError};
pub use session::{Canceller, CopyIn, CopyOut, Execution, Notice, Prepared, Rows, Session, TransactionStatus};
pub use statement::Statement;
pub use text::format_batch;
