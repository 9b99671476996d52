//! What a machine asks over HTTP to know how the server is: `/metrics`, `/healthz`, `/readyz`.
//!
//! Three fixed answers to GET and HEAD on a listener of their own, and no password: it belongs on loopback or a
//! network of the operator's. Requests are short or they are not read: so many connections at a time, so many bytes,
//! so many seconds, one request each.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;

/// Connections at one time; others wait to be accepted.
const CONNECTIONS: usize = 16;
/// Longest head of a request.
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
type Answer = Response<Full<Bytes>>;

/// Answers until the future is dropped, which ends every connection. Once `stopping` is cancelled, the server is not
/// ready any more.
pub async fn run(listener: TcpListener, engine: Arc<Engine>, stopping: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).keep_alive(false).max_buf_size(REQUEST).header_read_timeout(PATIENCE);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (engine, stopping) = (Arc::clone(&engine), stopping.clone());
                let service = service_fn(move |request| {
                    let (engine, stopping) = (Arc::clone(&engine), stopping.clone());
                    async move { Ok::<_, Infallible>(answer(&request, &engine, &stopping).await) }
                });
                let connection = http.serve_connection(TokioIo::new(stream), service);
                connections.spawn(async move {
                    let _place = place;
                    // Nobody is left to tell that a question took too long or its answer was not read.
                    let _ = time::timeout(PATIENCE, connection).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection for metrics failed, trying again");
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The answer; its body is not sent where only the head is asked for.
async fn answer(request: &Request<Incoming>, engine: &Engine, stopping: &CancellationToken) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match request.uri().path() {
        "/metrics" => match engine.metrics_text() {
            Ok(text) => with(StatusCode::OK, OPENMETRICS, text),
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, &error.message),
        },
        "/healthz" => plain(StatusCode::OK, "ok"),
        "/readyz" => ready(engine, stopping).await,
        _ => plain(StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz"),
    }
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
    let status = if readable { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    with(status, JSON, format!("{body}\n"))
}

fn plain(status: StatusCode, body: &str) -> Answer {
    with(status, TEXT, format!("{body}\n"))
}

fn with(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
