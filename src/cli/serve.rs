//! `audiencedb serve`: the PostgreSQL front door.

use std::net::SocketAddr;

use audiencedb::server::{self, ServerOptions};
use audiencedb::{Error, MaintenanceOptions, Result, SqlState};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    warehouse: super::Warehouse,
    /// Address to listen on. Until there are roles with passwords everybody who can reach the server is trusted, so
    /// it has to be a loopback address.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5432")]
    listen: SocketAddr,
    /// How many clients may be connected at one time.
    #[arg(long, value_name = "N", default_value_t = 100)]
    max_connections: usize,
    /// Do not merge small files and clean up in the background; CALL audience.maintain() still does.
    #[arg(long)]
    no_maintenance: bool,
}

impl Serve {
    pub(crate) async fn run(self) -> Result<()> {
        if !self.listen.ip().is_loopback() {
            let message = format!(
                "{} is not a loopback address: without passwords everybody who can reach it would be trusted",
                self.listen
            );
            return Err(Error::new(SqlState::CONFIG_FILE_ERROR, message)
                .with_hint("listen on 127.0.0.1 and let clients in through an SSH tunnel"));
        }
        let io = |what: &str| {
            let what = what.to_owned();
            move |e: std::io::Error| Error::new(SqlState::IO_ERROR, format!("could not {what}: {e}"))
        };
        let listener = TcpListener::bind(self.listen).await.map_err(io(&format!("listen on {}", self.listen)))?;
        let address = listener.local_addr().map_err(io("read the address listened on"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(io("handle SIGINT"))?;
        let mut terminate = signal(SignalKind::terminate()).map_err(io("handle SIGTERM"))?;

        let engine = self.warehouse.open(format!("serve {address}"), true).await?;
        if let Err(e) = engine.begin_writing().await {
            if e.sqlstate != SqlState::OBJECT_IN_USE {
                return Err(e);
            }
            tracing::warn!("read only for now: {e}");
        }
        tracing::info!("everybody who can reach {address} is trusted as superuser \"postgres\"");
        tracing::info!("connect with: psql -h {} -p {} -U postgres audience", address.ip(), address.port());
        tracing::info!("listening on {address}");
        let options = ServerOptions { max_connections: self.max_connections, ..ServerOptions::default() };
        let stop = async move {
            tokio::select! {
                _ = interrupt.recv() => tracing::info!("stopping: interrupted"),
                _ = terminate.recv() => tracing::info!("stopping: told to terminate"),
            }
        };
        let maintenance = engine.maintain_in_background(MaintenanceOptions {
            background: !self.no_maintenance,
            ..MaintenanceOptions::default()
        });
        server::run(listener, std::sync::Arc::clone(&engine), options, stop).await?;
        drop(maintenance);
        engine.close().await
    }
}
