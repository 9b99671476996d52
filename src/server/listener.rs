//! Accepting connections, bounding how many there are, and ending them all at shutdown.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time;

use crate::engine::Engine;
use crate::error::Result;
use crate::metrics::Metrics;

use super::cancel::Backends;
use super::connection::Connection;
use super::error::End;
use super::slots::Slots;
use super::startup;
use super::statement_log::StatementLogOptions;
use super::tls::Tls;
use super::wire::{Shutdown, Wire};

/// Sockets beyond `max_connections` that may be open at once: logins that are about to be refused,
/// and cancel requests, which have to get through a full server.
const SPARE_SOCKETS: usize = 64;
/// First and longest pause after the system refused to accept, as it does without file descriptors.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));
/// How long connections have to say goodbye once their statements were stopped.
const PARTING: Duration = Duration::from_secs(5);

/// Which clients may talk without TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plaintext {
    /// None: as `hostssl` alone in PostgreSQL's pg_hba.conf.
    Never,
    /// Those of this machine.
    #[default]
    Loopback,
    /// All: as `host` in PostgreSQL's pg_hba.conf.
    Always,
}

/// Limits of the server, and how it talks.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Clients served at once; the next one is refused with 53300.
    pub max_connections: usize,
    /// Of these, how many only superusers get.
    pub superuser_reserved_connections: usize,
    /// Certificate and key; `None`: there is no TLS.
    pub tls: Option<Tls>,
    /// Who may do without it.
    pub plaintext: Plaintext,
    /// What is written of statements.
    pub log: StatementLogOptions,
    /// How long a client may take to log in; then its connection is closed.
    pub startup_timeout: Duration,
    /// How long a client may send nothing between statements; then its connection ends with 57P05,
    /// or 25P03 inside a transaction. None: for ever.
    pub idle_timeout: Option<Duration>,
    /// How long a connection may be silent before TCP probes whether its client still exists.
    /// None: no probes.
    pub keepalive: Option<Duration>,
    /// How long running statements may go on after shutdown began; then they are stopped.
    pub shutdown_grace: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            max_connections: 100,
            superuser_reserved_connections: 3,
            tls: None,
            plaintext: Plaintext::Loopback,
            log: StatementLogOptions::default(),
            startup_timeout: Duration::from_secs(60),
            idle_timeout: None,
            keepalive: Some(Duration::from_secs(60)),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// What all connections share.
pub(super) struct Server {
    pub(super) engine: Arc<Engine>,
    pub(super) options: ServerOptions,
    pub(super) backends: Backends,
    pub(super) slots: Slots,
    shutdown: Shutdown,
}

/// Serves `engine` to the clients of `listener` until `shutdown` completes, and returns when the
/// last connection is gone: idle ones end at once, running statements get
/// `ServerOptions::shutdown_grace`. Dropping the future ends every connection at once.
///
/// Until a role has a password only loopback peers are served, and trusted; the others are refused with 28000.
/// A connection's failure is its own: the result is an error only when the server can't go on.
pub async fn run(
    listener: TcpListener,
    engine: Arc<Engine>,
    options: ServerOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let slots = Slots::new(options.max_connections, options.superuser_reserved_connections);
    let most_sockets = options.max_connections.saturating_add(SPARE_SOCKETS);
    let server =
        Arc::new(Server { engine, options, backends: Backends::default(), slots, shutdown: Shutdown::default() });
    let mut connections = JoinSet::new();
    let mut pause = Duration::ZERO;
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => note_panic(ended),
            (stream, peer) = accept(&listener, &mut pause), if connections.len() < most_sockets => {
                server.engine.metrics().accepted.inc();
                connections.spawn(serve(Arc::clone(&server), stream, peer));
            }
        }
    }
    drop(listener);
    close(connections, &server).await;
    Ok(())
}

/// The next connection. Failures to accept are waited out: retried at once they would fail again,
/// and keep a core busy with it.
async fn accept(listener: &TcpListener, pause: &mut Duration) -> (TcpStream, SocketAddr) {
    loop {
        // Only a pause that was waited through lengthens the next one.
        if !pause.is_zero() {
            time::sleep(*pause).await;
        }
        match listener.accept().await {
            Ok(accepted) => {
                *pause = Duration::ZERO;
                return accepted;
            }
            Err(error) if is_about_the_peer(&error) => {
                tracing::debug!(%error, "client left before it was accepted");
            }
            Err(error) => {
                *pause = (*pause * 2).clamp(ACCEPT_PAUSE.0, ACCEPT_PAUSE.1);
                tracing::warn!(%error, pause = ?*pause, "accepting a connection failed, trying again");
            }
        }
    }
}

/// True for errors of `accept` that say nothing about the next connection.
fn is_about_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// One connection from its first byte to its last.
async fn serve(server: Arc<Server>, stream: TcpStream, peer: SocketAddr) {
    if let Err(error) = configure(&stream, server.options.keepalive) {
        tracing::debug!(%peer, %error, "client left before its connection was set up");
        return;
    }
    let mut wire = Wire::new(stream, server.shutdown.of_one(), Arc::clone(server.engine.metrics()));
    let startup = startup::open(&server, &mut wire, peer);
    let outcome = time::timeout(server.options.startup_timeout, startup).await;
    match outcome {
        Ok(Ok(login)) => {
            let pid = login.backend.pid();
            let encrypted = wire.is_encrypted();
            tracing::info!(pid, %peer, user = ?login.user, tls = encrypted, "connection authorized");
            let _open = Open::new(server.engine.metrics());
            let opened = Instant::now();
            Connection::new(wire, login, &server).run().await;
            tracing::info!(pid, %peer, seconds = opened.elapsed().as_secs(), "disconnection");
        }
        Ok(Err(End::Fatal(error))) => {
            tracing::info!(%peer, sqlstate = error.sqlstate.0, reason = error.message, "connection refused");
            server.engine.metrics().login_refused(error.sqlstate);
            wire.farewell(&error).await;
        }
        Ok(Err(End::Closed | End::Gone)) => {}
        Err(_) => tracing::debug!(%peer, "login took too long"),
    }
}

/// Counts a client while it is there.
struct Open<'a>(&'a Metrics);

impl<'a> Open<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.open.inc();
        Self(metrics)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.dec();
    }
}

fn configure(stream: &TcpStream, keepalive: Option<Duration>) -> io::Result<()> {
    // Answers are written whole: there is nothing to gain from holding back their last packet.
    stream.set_nodelay(true)?;
    if let Some(idle) = keepalive {
        let probes = TcpKeepalive::new().with_time(idle).with_interval(Duration::from_secs(10));
        SockRef::from(stream).set_tcp_keepalive(&probes)?;
    }
    Ok(())
}

/// Ends the connections: idle ones now, busy ones when their statement is done or the grace period
/// is over, and whatever is left then by force.
async fn close(mut connections: JoinSet<()>, server: &Server) {
    server.shutdown.idle.cancel();
    if time::timeout(server.options.shutdown_grace, all_ended(&mut connections)).await.is_ok() {
        return;
    }
    tracing::info!(connections = connections.len(), "stopping statements that outlived the grace period");
    server.shutdown.all.cancel();
    if time::timeout(PARTING, all_ended(&mut connections)).await.is_err() {
        tracing::warn!(connections = connections.len(), "aborting connections that did not end");
        connections.shutdown().await;
    }
}

async fn all_ended(connections: &mut JoinSet<()>) {
    while let Some(ended) = connections.join_next().await {
        note_panic(ended);
    }
}

fn note_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection panicked and was closed");
    }
}
