//! A warehouse in a temporary folder, opened in this process and, if asked, served on a port of its own.

use std::sync::Arc;

use audiencedb::server::ServerOptions;
use audiencedb::{Engine, EngineOptions};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, NoTls};

use crate::trial::{Fault, Outcome};

/// An open warehouse; its folder goes with it.
pub struct Warehouse {
    /// The engine over it.
    pub engine: Arc<Engine>,
    folder: TempDir,
}

impl Warehouse {
    /// A new, empty one.
    pub async fn open() -> Outcome<Self> {
        Self::open_with(|_| {}).await
    }

    /// A new, empty one with other options than the usual.
    pub async fn open_with(change: impl FnOnce(&mut EngineOptions)) -> Outcome<Self> {
        let folder = TempDir::new()?;
        let mut options = EngineOptions::new(folder.path().to_string_lossy());
        change(&mut options);
        let engine = Engine::open(options).await?;
        Ok(Self { engine, folder })
    }

    /// Where it is.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Gives the lease back and removes the folder.
    pub async fn close(self) -> Outcome {
        self.engine.close().await?;
        Ok(self.folder.close()?)
    }

    /// Serves it on a free port of the loopback interface.
    pub async fn serve(self) -> Outcome<Served> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (stop, stopped) = oneshot::channel::<()>();
        let engine = Arc::clone(&self.engine);
        let serving = tokio::spawn(async move {
            audiencedb::server::run(listener, engine, ServerOptions::default(), async move {
                let _ = stopped.await;
            })
            .await
            .map_err(Fault::from)
        });
        Ok(Served { port, warehouse: self, stop, serving })
    }
}

/// A warehouse behind the wire protocol.
pub struct Served {
    /// Where it listens.
    pub port: u16,
    warehouse: Warehouse,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Outcome>,
}

impl Served {
    /// A new, empty warehouse, served.
    pub async fn start() -> Outcome<Self> {
        Warehouse::open().await?.serve().await
    }

    /// A new connection as `postgres` to `audience`.
    pub async fn connect(&self) -> Outcome<Client> {
        connect(self.port).await
    }

    /// The engine behind it.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.warehouse.engine
    }

    /// Where the warehouse is.
    pub fn folder(&self) -> &std::path::Path {
        self.warehouse.folder()
    }

    /// Stops the server gracefully and removes the warehouse.
    pub async fn stop(self) -> Outcome {
        let _ = self.stop.send(());
        let served = self.serving.await?;
        self.warehouse.close().await?;
        served
    }
}

/// How to reach a server of ours on this port.
pub fn address(port: u16) -> Config {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).user("postgres").dbname("audience");
    config
}

/// A connection to it, driven by a task that ends with the client.
pub async fn connect(port: u16) -> Outcome<Client> {
    connect_with(&address(port)).await
}

/// The same with other parameters.
pub async fn connect_with(config: &Config) -> Outcome<Client> {
    Ok(try_connect(config).await?)
}

/// The same for tests of what is refused.
pub async fn try_connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        // The client reports the same error to whoever uses it.
        let _ = connection.await;
    });
    Ok(client)
}

/// The only value of a query, read as text.
pub async fn value(client: &Client, sql: &str) -> Outcome<String> {
    let mut rows = rows(client, sql).await?;
    match (rows.pop(), rows.is_empty()) {
        (Some(mut row), true) if row.len() == 1 => Ok(row.remove(0)),
        _ => Err(Fault::from(format!("expected one value from {sql}"))),
    }
}

/// All rows of a query over the simple protocol, values as text, NULL as `NULL`.
pub async fn rows(client: &Client, sql: &str) -> Outcome<Vec<Vec<String>>> {
    let messages = client.simple_query(sql).await?;
    Ok(messages
        .iter()
        .filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|i| row.get(i).unwrap_or("NULL").to_owned()).collect())
            }
            _ => None,
        })
        .collect())
}
