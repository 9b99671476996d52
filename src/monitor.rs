//! What a machine asks over HTTP to know how the server is: `/metrics`, `/healthz`, `/readyz`.
//!
//! Three fixed answers to GET and HEAD on a listener of their own, and no password: it belongs on loopback or a
//! network of the operator's. Requests are short or they are not read: so many connections at a time, so many bytes,
//! so many seconds, one request each.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;

/// Connections at one time; others wait to be accepted.
const CONNECTIONS: usize = 16;
/// Longest request, its headers included.
const REQUEST: usize = 8 << 10;
/// How long a connection may last, and how long the warehouse has to answer.
const PATIENCE: Duration = Duration::from_secs(10);
const READ_PATIENCE: Duration = Duration::from_secs(5);
/// The pause after the system refused to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// An answer.
struct Answer {
    status: &'static str,
    kind: &'static str,
    body: String,
}

/// Answers until the future is dropped, which ends every connection. Once `stopping` is cancelled, the server is not
/// ready any more.
pub async fn run(listener: TcpListener, engine: Arc<Engine>, stopping: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (engine, stopping) = (Arc::clone(&engine), stopping.clone());
                connections.spawn(async move {
                    let _place = place;
                    // Nobody is left to tell that a question took too long or its answer was not read.
                    let _ = time::timeout(PATIENCE, serve(stream, &engine, &stopping)).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection for metrics failed, trying again");
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(mut stream: TcpStream, engine: &Engine, stopping: &CancellationToken) -> std::io::Result<()> {
    let mut request = Vec::with_capacity(1 << 10);
    let whole = loop {
        if request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            break true;
        }
        if request.len() >= REQUEST {
            break false;
        }
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    };
    let (answer, head) = if whole {
        answer(&request, engine, stopping).await
    } else {
        (plain("431 Request Header Fields Too Large", "the request is too long"), false)
    };
    let mut text = format!("HTTP/1.1 {}\r\n", answer.status);
    let length = answer.body.len();
    // Writing to a string does not fail.
    let _ = write!(text, "Content-Type: {}\r\nContent-Length: {length}\r\nConnection: close\r\n", answer.kind);
    if answer.status.starts_with("405") {
        text.push_str("Allow: GET, HEAD\r\n");
    }
    text.push_str("Cache-Control: no-store\r\n\r\n");
    if !head {
        text.push_str(&answer.body);
    }
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// The answer, and whether its body is wanted without it (HEAD).
async fn answer(request: &[u8], engine: &Engine, stopping: &CancellationToken) -> (Answer, bool) {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line).into_owned();
    let mut words = line.split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    if words.next().is_some() || !version.is_some_and(|version| version.starts_with("HTTP/1.")) {
        return (plain("400 Bad Request", "not a request of HTTP/1"), false);
    }
    let head = method == Some("HEAD");
    if !head && method != Some("GET") {
        return (plain("405 Method Not Allowed", "only GET and HEAD"), false);
    }
    let path = target.unwrap_or("").split('?').next().unwrap_or("");
    let answer = match path {
        "/metrics" => match engine.metrics_text() {
            Ok(body) => Answer { status: "200 OK", kind: OPENMETRICS, body },
            Err(error) => plain("500 Internal Server Error", &error.message),
        },
        "/healthz" => plain("200 OK", "ok"),
        "/readyz" => ready(engine, stopping).await,
        _ => plain("404 Not Found", "there are /metrics, /healthz and /readyz"),
    };
    (answer, head)
}

/// Whether the warehouse can be read, now; and whether this process writes to it.
async fn ready(engine: &Engine, stopping: &CancellationToken) -> Answer {
    let (readable, why) = if stopping.is_cancelled() {
        (false, Some("the server is stopping".to_owned()))
    } else {
        match time::timeout(READ_PATIENCE, engine.warehouse().snapshot()).await {
            Ok(Ok(_)) => (true, None),
            Ok(Err(error)) => (false, Some(error.to_string())),
            Err(_) => (false, Some("the warehouse does not answer".to_owned())),
        }
    };
    let warehouse = engine.warehouse();
    let body = serde_json::json!({
        "readable": readable,
        "writable": readable && warehouse.is_writing(),
        "log_position": warehouse.known_position(),
        "reason": why,
    });
    let status = if readable { "200 OK" } else { "503 Service Unavailable" };
    Answer { status, kind: JSON, body: format!("{body}\n") }
}

fn plain(status: &'static str, body: &str) -> Answer {
    Answer { status, kind: TEXT, body: format!("{body}\n") }
}
