//! `audiencedb serve`: the PostgreSQL front door.

use std::net::SocketAddr;
use std::sync::Arc;

use audiencedb::server::{self, ServerOptions};
use audiencedb::{Engine, Error, Result, SqlState};
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
}

impl Serve {
    pub(crate) async fn run(self) -> Result<()> {
        self.run_prepared(async |_: &Arc<Engine>| Ok(()), |(), _| ()).await
    }

    /// Serves what `prepare` has done to the warehouse; once it listens, `greet` is given the outcome and the address.
    /// A signal to stop ends the preparing as well.
    pub(super) async fn run_prepared<T>(
        self,
        prepare: impl AsyncFnOnce(&Arc<Engine>) -> Result<T>,
        greet: impl FnOnce(T, SocketAddr),
    ) -> Result<()> {
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
        let prepared = tokio::select! {
            prepared = prepare(&engine) => prepared,
            _ = interrupt.recv() => Err(Error::new(SqlState::QUERY_CANCELED, "interrupted before it was done")),
            _ = terminate.recv() => Err(Error::new(SqlState::QUERY_CANCELED, "terminated before it was done")),
        };
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(e) => {
                engine.close().await?;
                return Err(e);
            }
        };
        if let Err(e) = engine.begin_writing().await {
            if e.sqlstate != SqlState::OBJECT_IN_USE {
                return Err(e);
            }
            tracing::warn!("read only for now: {e}");
        }
        tracing::info!("everybody who can reach {address} is trusted as superuser \"postgres\"");
        tracing::info!("connect with: psql -h {} -p {} -U postgres audience", address.ip(), address.port());
        tracing::info!("listening on {address}");
        greet(prepared, address);
        let options = ServerOptions { max_connections: self.max_connections, ..ServerOptions::default() };
        let stop = async move {
            tokio::select! {
                _ = interrupt.recv() => tracing::info!("stopping: interrupted"),
                _ = terminate.recv() => tracing::info!("stopping: told to terminate"),
            }
        };
        server::run(listener, Arc::clone(&engine), options, stop).await?;
        engine.close().await
    }
}
