//! `audiencedb serve`: the PostgreSQL front door.

use std::net::SocketAddr;
use std::sync::Arc;

use audiencedb::server::{self, Plaintext, ServerOptions, Tls};
use audiencedb::{Engine, Error, Result, SqlState, monitor};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::config::{self, Config};

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    warehouse: super::Warehouse,
    /// Address to listen on [default: 127.0.0.1:5432]. Until a role has a password everybody who can reach the server
    /// is trusted, so it has to be a loopback address.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// How many clients may be connected at one time [default: 100].
    #[arg(long, value_name = "N")]
    max_connections: Option<usize>,
    /// Where to answer /metrics, /healthz and /readyz over HTTP [default: nowhere].
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// Do not merge small files and clean up in the background; CALL audience.maintain() still does.
    #[arg(long)]
    no_maintenance: bool,
    /// Print the commented reference of all settings instead.
    #[arg(long)]
    print_config: bool,
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
        if self.print_config {
            print!("{}", config::REFERENCE);
            return Ok(());
        }
        let mut config = self.warehouse.settings()?;
        if let Some(listen) = self.listen {
            config.listen = listen;
        }
        if let Some(most) = self.max_connections {
            config.max_connections = most;
        }
        if let Some(listen) = self.http {
            config.http.listen = Some(listen);
        }
        super::log::install(&config.log.level, config.log.format)?;
        config.maintenance.background &= !self.no_maintenance;
        // Boxed, since what serves is large and what prepares it may be as well.
        Box::pin(serve(&config, prepare, greet)).await
    }
}

/// Prepares the warehouse that `config` names and serves it until SIGINT or SIGTERM.
async fn serve<T>(
    config: &Config,
    prepare: impl AsyncFnOnce(&Arc<Engine>) -> Result<T>,
    greet: impl FnOnce(T, SocketAddr),
) -> Result<()> {
    config.check()?;
    let options = config.server()?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(io("handle SIGINT"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(io("handle SIGTERM"))?;
    let listener = TcpListener::bind(config.listen).await.map_err(io(format!("listen on {}", config.listen)))?;
    let address = listener.local_addr().map_err(io("read the address listened on"))?;

    let monitored = match config.http.listen {
        Some(listen) => {
            let listener = TcpListener::bind(listen).await.map_err(io(format!("listen on {listen} for HTTP")))?;
            let address = listener.local_addr().map_err(io("read the address listened on for HTTP"))?;
            tracing::info!("metrics and health on http://{address}");
            Some(listener)
        }
        None => None,
    };

    tracing::info!("audiencedb {} starts on {}", env!("CARGO_PKG_VERSION"), config.data);
    let engine = Engine::open(config.engine(format!("serve {address}"), true)).await?;
    let prepare = async {
        // Before anything is made that could not be served then.
        check_exposure(address, !engine.has_passwords().await?, &options)?;
        prepare(&engine).await
    };
    let prepared = tokio::select! {
        prepared = prepare => prepared,
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
    // What runs beside the server, and ends with it.
    let mut beside = JoinSet::new();
    if let Some(tls) = options.tls.clone() {
        beside.spawn(reload(tls));
    }
    let stopping = CancellationToken::new();
    if let Some(listener) = monitored {
        beside.spawn(monitor::run(listener, Arc::clone(&engine), stopping.clone()));
    }
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => tracing::info!("stopping: interrupted"),
            _ = terminate.recv() => tracing::info!("stopping: told to terminate"),
        }
        stopping.cancel();
    };
    let maintenance = engine.maintain_in_background();
    let served = run(config, &engine, options, listener, |address| greet(prepared, address), stop).await;
    drop(maintenance);
    beside.shutdown().await;
    let closed = engine.close().await;
    tracing::info!("stopped");
    served.and(closed)
}

async fn run(
    config: &Config,
    engine: &Arc<Engine>,
    options: ServerOptions,
    listener: TcpListener,
    greet: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let address = listener.local_addr().map_err(io("read the address listened on"))?;
    let trusting = !engine.has_passwords().await?;
    check_exposure(address, trusting, &options)?;
    match engine.begin_writing().await {
        Ok(()) => tracing::info!("this process holds the write lease"),
        Err(e) if e.sqlstate == SqlState::OBJECT_IN_USE => tracing::warn!("read only for now: {e}"),
        Err(e) => return Err(e),
    }
    let memory = config.engine(String::new(), false).memory_limit;
    tracing::info!("{} MiB of memory for statements, {} connections", memory >> 20, options.max_connections);
    if trusting {
        tracing::warn!(
            "no role has a password: everybody who can reach {address} is trusted as superuser \"postgres\""
        );
    }
    if options.plaintext == Plaintext::Always && !address.ip().is_loopback() {
        tracing::warn!("clients may connect to {address} without TLS: what they send and get can be read on the way");
    }
    tracing::info!("connect with: psql -h {} -p {} -U postgres audience", address.ip(), address.port());
    tracing::info!("listening on {address}{}", if options.tls.is_some() { " (TLS)" } else { "" });
    greet(address);
    server::run(listener, Arc::clone(engine), options, stop).await
}

/// Refuses an address that others can reach while nothing protects what is behind it.
fn check_exposure(address: SocketAddr, trusting: bool, options: &ServerOptions) -> Result<()> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    let refused = |why: &str| {
        let message = format!("{address} is not a loopback address: {why}");
        Error::new(SqlState::CONFIG_FILE_ERROR, message)
    };
    if trusting {
        return Err(refused("without passwords everybody who can reach it would be trusted").with_hint(
            "set one first: audiencedb query \"ALTER ROLE postgres PASSWORD '...'\"; or listen on 127.0.0.1",
        ));
    }
    if options.tls.is_none() && options.plaintext != Plaintext::Always {
        return Err(refused("without TLS nobody could connect to it").with_hint(
            "set cert and key in [tls]; or plaintext = \"always\", and everybody on the way can read along",
        ));
    }
    Ok(())
}

/// Reads certificate and key again on SIGHUP.
async fn reload(tls: Tls) {
    let mut hang_up = match signal(SignalKind::hangup()) {
        Ok(hang_up) => hang_up,
        Err(e) => return tracing::error!("could not handle SIGHUP: {e}"),
    };
    while hang_up.recv().await.is_some() {
        match tls.reload() {
            Ok(()) => tracing::info!("read certificate and key again, for new connections"),
            Err(e) => tracing::error!("keeping the old certificate: {e}"),
        }
    }
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
    let what = what.into();
    move |e| Error::new(SqlState::IO_ERROR, format!("could not {what}: {e}"))
}
