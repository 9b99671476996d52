//! The socket of one connection: buffers for both directions, and who may wait for what.
//!
//! A key design decision: there is no task per direction. Whoever waits (for a message, for a
//! statement, for the socket to take more) waits here, and every wait also watches the socket and
//! the server's shutdown. So a client that hangs up drops the future of its statement, which is
//! what stops the work.
//!
//! What arrives while a statement runs stays in the input buffer, undecoded, up to `READ_AHEAD`;
//! then reading pauses, and with it the notice that a client hung up, until a write fails.

use std::io;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use pgwire::messages::Message;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result, SqlState};
use crate::metrics::Metrics;

use super::error::{End, error_response, protocol_violation, shutting_down};
use super::frontend::{self, Frame};
use super::socket::{self, Reader, Writer};

/// Most input that is taken in while a statement runs.
const READ_AHEAD: usize = 16 << 20;
/// Room offered to one read.
const READ_SIZE: usize = 16 << 10;
/// Output is written out once there is this much of it.
const FLUSH_SIZE: usize = 64 << 10;
/// Output that waits this long for a statement to go on is written out however small it is: the
/// first rows go out before the second batch is there, and quick statements still share a packet.
const FLUSH_DELAY: Duration = Duration::from_millis(5);
/// Buffers that one large message has grown beyond this are given back after it.
const KEEP: usize = 1 << 20;
/// How long the last message to a client may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// Longest startup packet, as in PostgreSQL: it comes before any login.
const STARTUP_PACKET: usize = 10_000;
/// The first byte of a TLS handshake; no startup packet begins with it, as it would be too long.
const HANDSHAKE: u8 = 0x16;
/// Longest DataRow: one byte less than 1 GiB.
const DATA_ROW: usize = 0x3fff_ffff;

/// The two steps of the server's shutdown, as its connections see them.
#[derive(Clone, Default)]
pub(super) struct Shutdown {
    /// Connections that wait for their client end now, the others when their statement is done.
    pub(super) idle: CancellationToken,
    /// Every connection ends now.
    pub(super) all: CancellationToken,
}

impl Shutdown {
    /// The shutdown of one connection: with the server's, or alone.
    pub(super) fn of_one(&self) -> Self {
        Self { idle: self.idle.child_token(), all: self.all.child_token() }
    }

    /// Ends what it is the shutdown of, now.
    pub(super) fn now(&self) {
        self.idle.cancel();
        self.all.cancel();
    }
}

/// The socket of one connection.
pub(super) struct Wire {
    reader: Reader,
    writer: Writer,
    /// Received, not yet decoded.
    input: BytesMut,
    /// Encoded, not yet sent: whole messages only.
    output: BytesMut,
    /// Written, but perhaps still in the writer's own buffer, as TLS has one.
    unflushed: bool,
    shutdown: Shutdown,
    metrics: Arc<Metrics>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, shutdown: Shutdown, metrics: Arc<Metrics>) -> Self {
        let (reader, writer) = socket::plain(stream);
        Self { reader, writer, input: BytesMut::new(), output: BytesMut::new(), unflushed: false, shutdown, metrics }
    }

    /// Whether the client begins with a TLS handshake instead of asking for one. Nothing is taken from the socket.
    pub(super) async fn begins_with_tls(&mut self) -> Result<bool, End> {
        let Reader::Plain(reader) = &mut self.reader else { return Ok(false) };
        let mut first = [0];
        tokio::select! {
            biased;
            () = self.shutdown.idle.cancelled() => Err(End::Gone),
            peeked = reader.peek(&mut first) => match peeked {
                Ok(0) | Err(_) => Err(End::Gone),
                Ok(_) => Ok(first[0] == HANDSHAKE),
            },
        }
    }

    /// Does the server's part of a TLS handshake; everything after it is encrypted. Returns what the client knows of
    /// the protocol's name, if it said. A socket on which it failed is lost: there is no way left to tell the client.
    pub(super) async fn encrypt(&mut self, config: Arc<ServerConfig>) -> Result<Option<Vec<u8>>, End> {
        // What came before the handshake is not the client's, or at least nobody can know that it is.
        if self.has_input() {
            return Err(End::fatal(protocol_violation("received unencrypted data before the TLS handshake")));
        }
        let halves = (mem::replace(&mut self.reader, Reader::Gone), mem::replace(&mut self.writer, Writer::Gone));
        let (Reader::Plain(reader), Writer::Plain(writer)) = halves else { return Err(End::Gone) };
        let stream = reader.reunite(writer).map_err(|_| End::Gone)?;
        let handshake = TlsAcceptor::from(config).accept(stream);
        let shutdown = self.shutdown.idle.clone();
        let stream = tokio::select! {
            biased;
            () = shutdown.cancelled() => return Err(End::Gone),
            done = handshake => match done {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::info!(%error, "TLS handshake failed");
                    return Err(End::Gone);
                }
            },
        };
        let protocol = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        (self.reader, self.writer) = socket::encrypted(stream);
        Ok(protocol)
    }

    /// Counts rows that were sent.
    pub(super) fn count_rows(&self, rows: usize) {
        self.metrics.rows.inc_by(rows as u64);
    }

    /// Whether what is sent and received is encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.reader, Reader::Tls(_))
    }

    /// What ends this connection.
    pub(super) fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Waits for `work`, writing out what is pending and reading ahead. The client's end of the
    /// connection or the server's forced shutdown ends the wait, and `work` is dropped with it.
    pub(super) async fn while_connected<T>(&mut self, work: impl Future<Output = T>) -> Result<T, End> {
        let mut work = pin!(work);
        let mut delay = pin!(time::sleep(FLUSH_DELAY));
        let mut writing = false;
        loop {
            let reading = self.make_room();
            // The socket comes first: work that is always ready must not hide that nobody waits
            // for it any more.
            tokio::select! {
                biased;
                () = self.shutdown.all.cancelled() => return Err(shutting_down()),
                read = self.reader.read_buf(&mut self.input), if reading => {
                    self.metrics.received.inc_by(transferred(read)?);
                }
                written = write_out(&mut self.writer, &mut self.output, &mut self.unflushed),
                    if writing && (self.unflushed || !self.output.is_empty()) =>
                {
                    self.metrics.sent.inc_by(written?);
                }
                result = &mut work => return Ok(result),
                () = &mut delay, if !writing => writing = true,
            }
        }
    }

    /// Whether the client's next message has come and is Sync.
    pub(super) fn sync_follows(&self) -> bool {
        self.input.first() == Some(&b'S')
    }

    /// The client's next message. None: `patience` ran out first. Once the server shuts down, only
    /// a client that is `busy`, in the middle of a series of messages, is waited for.
    pub(super) async fn frame(&mut self, patience: Option<Duration>, busy: bool) -> Result<Option<Frame>, End> {
        let shutdown = if busy { self.shutdown.all.clone() } else { self.shutdown.idle.clone() };
        if shutdown.is_cancelled() {
            return Err(shutting_down());
        }
        let mut patience = pin!(wait(patience));
        loop {
            if let Some(frame) = frontend::take_frame(&mut self.input).map_err(End::fatal)? {
                if frame.body.len() > KEEP {
                    // The rest moves out, so that the large buffer goes when the message does.
                    self.input = BytesMut::from(&self.input[..]);
                }
                return Ok(Some(frame));
            }
            self.reserve();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Err(shutting_down()),
                read = self.reader.read_buf(&mut self.input) => {
                    self.metrics.received.inc_by(transferred(read)?);
                }
                () = &mut patience => return Ok(None),
            }
        }
    }

    /// The body of the next message of the startup phase, which has no type byte.
    pub(super) async fn startup_packet(&mut self) -> Result<Bytes, End> {
        let shutdown = self.shutdown.idle.clone();
        loop {
            if let Some(prefix) = self.input.first_chunk::<4>() {
                let length = u32::from_be_bytes(*prefix) as usize;
                if !(8..=STARTUP_PACKET).contains(&length) {
                    let error = protocol_violation("invalid length of startup packet")
                        .with_hint("connect with a PostgreSQL client, without direct TLS");
                    return Err(End::fatal(error));
                }
                if self.input.len() >= length {
                    return Ok(self.input.split_to(length).freeze().slice(4..));
                }
            }
            self.reserve();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Err(End::fatal(Error::new(
                    SqlState::CANNOT_CONNECT_NOW,
                    "the database system is shutting down",
                ))),
                read = self.reader.read_buf(&mut self.input) => {
                    self.metrics.received.inc_by(transferred(read)?);
                }
            }
        }
    }

    /// True when bytes have arrived that nobody has asked for yet.
    pub(super) fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Puts `message` behind what is pending. Nothing is put when it is too long to be sent.
    pub(super) fn push(&mut self, message: impl Message) -> Result<()> {
        let start = self.output.len();
        message.encode(&mut self.output).map_err(|error| {
            // A refused message has already left its type byte.
            self.output.truncate(start);
            Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("message to the client failed: {error}"))
        })
    }

    /// Puts a DataRow of `columns` fields behind what is pending; `encode` appends the length and
    /// bytes of each field. Nothing is put when it fails.
    pub(super) fn push_row(&mut self, columns: i16, encode: impl FnOnce(&mut BytesMut) -> Result<()>) -> Result<()> {
        let start = self.output.len();
        self.output.put_u8(b'D');
        self.output.put_u32(0);
        self.output.put_i16(columns);
        let encoded = encode(&mut self.output).and_then(|()| {
            // The length counts itself, not the type byte.
            let length = self.output.len() - start - 1;
            match u32::try_from(length) {
                Ok(bytes) if length <= DATA_ROW => Ok(bytes),
                _ => Err(Error::new(
                    SqlState::PROGRAM_LIMIT_EXCEEDED,
                    format!("row of {length} bytes is too large to send"),
                )
                .with_detail(format!("A row may have up to {DATA_ROW} bytes."))
                .with_hint("select fewer columns, or parts of them")),
            }
        });
        match encoded {
            Ok(length) => {
                self.output[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
                Ok(())
            }
            Err(error) => {
                self.output.truncate(start);
                Err(error)
            }
        }
    }

    /// Puts a CopyData message behind what is pending, whose bytes `encode` appends; none if it appends nothing.
    pub(super) fn push_copy_data(&mut self, encode: impl FnOnce(&mut BytesMut) -> Result<()>) -> Result<()> {
        let start = self.output.len();
        self.output.put_u8(b'd');
        self.output.put_u32(0);
        let encoded = encode(&mut self.output);
        // The length counts itself, not the type byte.
        let length = self.output.len() - start - 1;
        let outcome = match (encoded, u32::try_from(length)) {
            (Ok(()), Ok(bytes)) if length > 4 && length <= DATA_ROW => {
                self.output[start + 1..start + 5].copy_from_slice(&bytes.to_be_bytes());
                return Ok(());
            }
            (Ok(()), _) if length == 4 => Ok(()),
            (Ok(()), _) => {
                let message = format!("row of {length} bytes is too large to send");
                Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message))
            }
            (Err(error), _) => Err(error),
        };
        self.output.truncate(start);
        outcome
    }

    /// Writes out what is pending once there is enough of it; returns when the socket took it all,
    /// so that a slow client slows the statement down instead of filling memory.
    pub(super) async fn flush_if_full(&mut self) -> Result<(), End> {
        if self.output.len() >= FLUSH_SIZE { self.flush().await } else { Ok(()) }
    }

    /// Writes out what is pending. Goes on reading meanwhile: a client that writes all it has
    /// before it reads would otherwise wait for us as we wait for it.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        while !self.output.is_empty() || self.unflushed {
            let reading = self.make_room();
            tokio::select! {
                biased;
                () = self.shutdown.all.cancelled() => return Err(shutting_down()),
                written = write_out(&mut self.writer, &mut self.output, &mut self.unflushed) => {
                    self.metrics.sent.inc_by(written?);
                }
                read = self.reader.read_buf(&mut self.input), if reading => {
                    self.metrics.received.inc_by(transferred(read)?);
                }
            }
        }
        if self.output.capacity() > KEEP {
            self.output = BytesMut::new();
        }
        Ok(())
    }

    /// Tells the client why its connection ends, and ends it.
    pub(super) async fn farewell(mut self, error: &Error) {
        let parting = async {
            self.push(error_response("FATAL", error)).map_err(|_| io::ErrorKind::InvalidData)?;
            self.writer.write_all_buf(&mut self.output).await?;
            self.writer.flush().await?;
            self.writer.shutdown().await?;
            // Closing over unread input resets the connection, and the client may lose the message.
            loop {
                self.input.clear();
                self.reserve();
                if self.reader.read_buf(&mut self.input).await? == 0 {
                    return Ok::<(), io::Error>(());
                }
            }
        };
        // The connection is over either way: a client that can't be told is not told.
        if let Ok(Err(error)) = time::timeout(FAREWELL, parting).await {
            tracing::debug!(%error, "client left before its connection was closed");
        }
    }

    /// Makes room for one read; false when enough is waiting to be decoded.
    fn make_room(&mut self) -> bool {
        if self.input.len() >= READ_AHEAD {
            return false;
        }
        self.reserve();
        true
    }

    fn reserve(&mut self) {
        if self.input.capacity() - self.input.len() < READ_SIZE / 4 {
            self.input.reserve(READ_SIZE);
        }
    }
}

/// Writes some of `output`, or passes on what the writer holds back when there is no more; says how many bytes went.
async fn write_out(writer: &mut Writer, output: &mut BytesMut, unflushed: &mut bool) -> Result<u64, End> {
    if output.is_empty() {
        writer.flush().await.map_err(|_| End::Gone)?;
        *unflushed = false;
        return Ok(0);
    }
    let written = transferred(writer.write_buf(output).await)?;
    *unflushed = true;
    Ok(written)
}

/// What a read or a write says about the client: no bytes, or an error, and it is gone.
fn transferred(outcome: io::Result<usize>) -> Result<u64, End> {
    match outcome {
        Ok(0) | Err(_) => Err(End::Gone),
        Ok(bytes) => Ok(bytes as u64),
    }
}

/// Returns after `patience`, or never.
async fn wait(patience: Option<Duration>) {
    match patience {
        Some(patience) => time::sleep(patience).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use pgwire::messages::response::{ReadyForQuery, TransactionStatus};
    use pgwire::messages::startup::ParameterStatus;
    use tokio::net::TcpListener;

    use super::*;

    /// A client's socket and the server's end of it.
    async fn connected() -> (TcpStream, Wire) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (client, Wire::new(server, Shutdown::default(), Arc::new(Metrics::new())))
    }

    fn ready() -> ReadyForQuery {
        ReadyForQuery::new(TransactionStatus::Idle)
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_stops_the_work() {
        let (client, mut wire) = connected().await;
        let hang_up = async move {
            time::sleep(Duration::from_millis(20)).await;
            drop(client);
        };
        let (outcome, ()) = tokio::join!(wire.while_connected(pending::<()>()), hang_up);
        assert!(matches!(outcome, Err(End::Gone)));
    }

    #[tokio::test]
    async fn forced_shutdown_stops_the_work() {
        let (_client, mut wire) = connected().await;
        wire.shutdown.all.cancel();
        assert!(matches!(wire.while_connected(pending::<()>()).await, Err(End::Fatal(_))));
    }

    #[tokio::test]
    async fn what_is_pending_goes_out_while_the_work_goes_on() {
        let (mut client, mut wire) = connected().await;
        wire.push(ready()).unwrap();
        let mut received = [0; 6];
        let outcome = wire.while_connected(client.read_exact(&mut received)).await;
        assert!(matches!(outcome, Ok(Ok(6))));
        assert_eq!(&received, b"Z\0\0\0\x05I");
    }

    #[tokio::test]
    async fn messages_that_arrive_during_the_work_are_kept() {
        let (mut client, mut wire) = connected().await;
        client.write_all(b"S\0\0\0\x04H\0\0").await.unwrap();
        let outcome = wire.while_connected(time::sleep(Duration::from_millis(20))).await;
        assert!(matches!(outcome, Ok(())));
        assert_eq!(&wire.input[..], b"S\0\0\0\x04H\0\0");
        assert!(matches!(wire.frame(None, false).await, Ok(Some(Frame { tag: b'S', .. }))));
        // The second message isn't whole: patience runs out over it.
        let short = Some(Duration::from_millis(20));
        assert!(matches!(wire.frame(short, false).await, Ok(None)));
    }

    #[tokio::test]
    async fn an_idle_client_is_not_waited_for_once_the_server_shuts_down() {
        let (_client, mut wire) = connected().await;
        wire.shutdown.idle.cancel();
        assert!(matches!(wire.frame(None, false).await, Err(End::Fatal(_))));
        let short = Some(Duration::from_millis(20));
        assert!(matches!(wire.frame(short, true).await, Ok(None)));
    }

    #[tokio::test]
    async fn what_fails_leaves_nothing_behind() {
        let (_client, mut wire) = connected().await;
        wire.push(ready()).unwrap();
        let before = wire.output.clone();
        assert!(wire.push(ParameterStatus::new("a".to_owned(), "b".repeat(40_000))).is_err());
        let failed = wire.push_row(1, |output| {
            output.put_i32(7);
            Err(Error::unsupported("half a value"))
        });
        assert!(failed.is_err());
        assert_eq!(wire.output, before);

        wire.push_row(1, |output| {
            output.put_slice(b"\0\0\0\x01x");
            Ok(())
        })
        .unwrap();
        assert_eq!(&wire.output[before.len()..], b"D\0\0\0\x0b\0\x01\0\0\0\x01x");
    }

    #[tokio::test]
    async fn startup_packets_have_a_sane_length() {
        for length in [7_u32, 10_001, u32::MAX] {
            let (mut client, mut wire) = connected().await;
            client.write_all(&length.to_be_bytes()).await.unwrap();
            assert!(matches!(wire.startup_packet().await, Err(End::Fatal(_))), "{length}");
        }
        let (mut client, mut wire) = connected().await;
        client.write_all(b"\0\0\0\x08abcdrest").await.unwrap();
        let Ok(packet) = wire.startup_packet().await else { panic!("a good packet is refused") };
        assert_eq!(&packet[..], b"abcd");
        assert!(wire.has_input());
    }
}
