//! From the first byte of a connection to its first ReadyForQuery.
//!
//! Nothing is encrypted yet, so both encryption requests are declined, and nobody is asked for a
//! password: only loopback peers get in, and only as the superuser.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use pgwire::messages::Message;
use pgwire::messages::response::{GssEncResponse, SslResponse};
use pgwire::messages::startup::{Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SecretKey};
use tokio::sync::OwnedSemaphorePermit;

use crate::error::{Error, Result, SqlState};
use crate::session::Session;

use super::cancel::Registration;
use super::error::{End, protocol_violation, wire_text};
use super::frontend::Body;
use super::listener::Server;
use super::wire::Wire;

/// The only role there is so far.
const SUPERUSER: &str = "postgres";
/// Newest minor version of protocol 3 that we speak.
const NEWEST_MINOR: u16 = 2;

/// The request codes that may stand where a startup message has its protocol version.
const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSS_ENCRYPTION_REQUEST: u32 = 80_877_104;

/// A client that got in.
pub(super) struct Login {
    pub(super) session: Session,
    /// Its place among the connections that can be cancelled.
    pub(super) backend: Registration,
    /// Its share of `max_connections`.
    pub(super) slot: OwnedSemaphorePermit,
}

/// Greets the client and puts the answer up to the first ReadyForQuery, which sends it. A cancel
/// request is carried out and ends the connection as `End::Closed`.
pub(super) async fn open(server: &Server, wire: &mut Wire, peer: SocketAddr) -> Result<Login, End> {
    let startup = match greet(wire).await? {
        Greeting::Startup(startup) => startup,
        Greeting::Cancel { pid, key } => {
            server.backends.cancel(pid, &key);
            return Err(End::Closed);
        }
    };
    admit(server, wire, peer, startup).map_err(End::fatal)
}

/// Checks who wants in, makes the session, and puts the whole answer.
fn admit(server: &Server, wire: &mut Wire, peer: SocketAddr, startup: Startup) -> Result<Login> {
    startup.check_version()?;
    if let Some(negotiation) = startup.negotiation() {
        wire.push(negotiation)?;
    }
    if !peer.ip().to_canonical().is_loopback() {
        return Err(Error::new(
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            format!("connections from {} are not trusted", peer.ip()),
        )
        .with_hint("connect from the server's own machine"));
    }
    let slot = Arc::clone(&server.slots)
        .try_acquire_owned()
        .map_err(|_| Error::new(SqlState::TOO_MANY_CONNECTIONS, "sorry, too many clients already"))?;
    let (user, database) = startup.names()?;
    let settings = startup.settings()?;

    let mut session = server.engine.session(user, database)?;
    for (name, value) in &settings {
        session.set(name, value)?;
    }
    // They are about to be reported with all the others.
    drop(session.take_changed_parameters());

    let shutdown = wire.shutdown();
    session.backend().connected(peer, move || shutdown.now());
    let canceller = session.canceller();
    let backend = server.backends.register(session.pid(), startup.key_length(), move || {
        canceller.cancel();
    });
    wire.push(Authentication::Ok)?;
    for (name, value) in session.reported_parameters() {
        wire.push(ParameterStatus::new(wire_text(&name), wire_text(&value)))?;
    }
    wire.push(BackendKeyData::new(backend.pid(), SecretKey::Bytes(Bytes::copy_from_slice(backend.key()))))?;
    Ok(Login { session, backend, slot })
}

/// What a connection is for.
enum Greeting {
    Startup(Startup),
    Cancel { pid: i32, key: Bytes },
}

/// Reads up to the startup message or the cancel request, declining encryption on the way.
async fn greet(wire: &mut Wire) -> Result<Greeting, End> {
    let (mut ssl_declined, mut gss_declined) = (false, false);
    loop {
        let packet = wire.startup_packet().await?;
        match Packet::decode(packet).map_err(End::fatal)? {
            Packet::SslRequest if !ssl_declined => {
                ssl_declined = true;
                decline(wire, SslResponse::Refuse, "SSL").await?;
            }
            Packet::GssEncryptionRequest if !gss_declined => {
                gss_declined = true;
                decline(wire, GssEncResponse::Refuse, "GSSAPI encryption").await?;
            }
            Packet::SslRequest | Packet::GssEncryptionRequest => {
                return Err(End::fatal(protocol_violation("encryption was requested twice")));
            }
            Packet::Cancel { pid, key } => return Ok(Greeting::Cancel { pid, key }),
            Packet::Startup(startup) => return Ok(Greeting::Startup(startup)),
        }
    }
}

/// Declines encryption. A client has to wait for the answer: bytes that are already there were
/// put by somebody in between, who wants them read as if they were the client's.
async fn decline(wire: &mut Wire, answer: impl Message, request: &str) -> Result<(), End> {
    if wire.has_input() {
        return Err(End::fatal(protocol_violation(format!("received unencrypted data after {request} request"))));
    }
    wire.push(answer).map_err(End::fatal)?;
    wire.flush().await
}

/// A message of the startup phase.
#[derive(Debug, PartialEq)]
enum Packet {
    SslRequest,
    GssEncryptionRequest,
    Cancel { pid: i32, key: Bytes },
    Startup(Startup),
}

/// A client's wish to log in.
#[derive(Debug, PartialEq)]
struct Startup {
    major: u16,
    minor: u16,
    /// In the order they came.
    parameters: Vec<(String, String)>,
}

impl Packet {
    fn decode(packet: Bytes) -> Result<Self> {
        let mut body = Body(packet);
        match body.u32()? {
            SSL_REQUEST => body.finish().map(|()| Self::SslRequest),
            GSS_ENCRYPTION_REQUEST => body.finish().map(|()| Self::GssEncryptionRequest),
            CANCEL_REQUEST => {
                let pid = body.i32()?;
                let key = body.rest();
                if !(4..=256).contains(&key.len()) {
                    return Err(protocol_violation("invalid length of cancel request"));
                }
                Ok(Self::Cancel { pid, key })
            }
            version => {
                let (major, minor) = ((version >> 16) as u16, version as u16);
                if major != 3 {
                    // The rest has a layout that only that version knows.
                    return Ok(Self::Startup(Startup { major, minor, parameters: Vec::new() }));
                }
                let mut parameters = Vec::new();
                loop {
                    let name = body.text()?;
                    if name.is_empty() {
                        break;
                    }
                    parameters.push((name, body.text()?));
                }
                body.finish()?;
                Ok(Self::Startup(Startup { major, minor, parameters }))
            }
        }
    }
}

impl Startup {
    fn check_version(&self) -> Result<()> {
        if self.major == 3 {
            return Ok(());
        }
        let (major, minor) = (self.major, self.minor);
        Err(Error::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.{NEWEST_MINOR}"),
        ))
    }

    /// What of the client's wish we don't have: a newer minor version, protocol extensions.
    fn negotiation(&self) -> Option<NegotiateProtocolVersion> {
        let unknown: Vec<String> =
            self.parameters.iter().filter(|(name, _)| is_extension(name)).map(|(name, _)| name.clone()).collect();
        if self.minor <= NEWEST_MINOR && unknown.is_empty() {
            return None;
        }
        // As PostgreSQL does, the whole version number, not only its minor part.
        let version = (3 << 16) | i32::from(self.minor.min(NEWEST_MINOR));
        Some(NegotiateProtocolVersion::new(version, unknown))
    }

    /// Bytes in the cancel key: clients before 3.2 read exactly four.
    fn key_length(&self) -> usize {
        if self.minor >= 2 { 32 } else { 4 }
    }

    /// The last value given for `name`, unless it is empty.
    fn parameter(&self, name: &str) -> Option<&str> {
        let given = self.parameters.iter().rev().find(|(given, _)| given == name)?;
        Some(given.1.as_str()).filter(|value| !value.is_empty())
    }

    /// User and database. The user has to exist, the database is for the engine to find; it defaults
    /// to the user's name.
    fn names(&self) -> Result<(&str, &str)> {
        let unknown = |message: String| {
            Error::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message)
                .with_hint(format!("connect as {SUPERUSER}"))
        };
        match self.parameter("user") {
            Some(SUPERUSER) => Ok((SUPERUSER, self.parameter("database").unwrap_or(SUPERUSER))),
            Some(user) => Err(unknown(format!("role \"{user}\" does not exist"))),
            None => Err(unknown("no user name specified in startup packet".to_owned())),
        }
    }

    /// The settings the client starts with: first those in `options`, so that a parameter of the
    /// same name wins.
    fn settings(&self) -> Result<Vec<(String, String)>> {
        let mut settings = match self.parameter("options") {
            Some(options) => command_line(options)?,
            None => Vec::new(),
        };
        for (name, value) in &self.parameters {
            match name.as_str() {
                "user" | "database" | "options" => {}
                "replication" if matches!(value.as_str(), "" | "false" | "off" | "no" | "0") => {}
                "replication" => return Err(Error::unsupported("the replication protocol")),
                name if is_extension(name) => {}
                name => settings.push((name.to_owned(), value.clone())),
            }
        }
        Ok(settings)
    }
}

/// True for the names of protocol extensions, which are negotiated instead of set.
fn is_extension(name: &str) -> bool {
    name.starts_with("_pq_.")
}

/// The settings in the startup parameter `options`: `-c name=value` or `--name=value`, separated by
/// white space. A backslash takes the next character as it is.
fn command_line(options: &str) -> Result<Vec<(String, String)>> {
    let mut settings = Vec::new();
    let mut words = split(options).into_iter();
    while let Some(word) = words.next() {
        let setting = if word == "-c" {
            words.next()
        } else {
            word.strip_prefix("--").or_else(|| word.strip_prefix("-c")).map(str::to_owned)
        };
        let setting = setting.as_deref().and_then(|setting| setting.split_once('='));
        let Some((name, value)) = setting.filter(|(name, _)| !name.is_empty()) else {
            return Err(Error::new(
                SqlState::SYNTAX_ERROR,
                format!("invalid command-line argument in startup options: {word}"),
            )
            .with_hint("write -c name=value or --name=value"));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

fn split(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.get_or_insert_default().extend(characters.next()),
            space if space.is_ascii_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn startup(version: u32, parameters: &[(&str, &str)]) -> Bytes {
        let mut packet = version.to_be_bytes().to_vec();
        for text in parameters.iter().flat_map(|(name, value)| [name, value]) {
            packet.extend_from_slice(text.as_bytes());
            packet.push(0);
        }
        packet.push(0);
        packet.into()
    }

    fn decoded(version: u32, parameters: &[(&str, &str)]) -> Startup {
        match Packet::decode(startup(version, parameters)) {
            Ok(Packet::Startup(startup)) => startup,
            _ => panic!("not a startup message"),
        }
    }

    fn sqlstate<T>(result: Result<T>) -> Option<&'static str> {
        result.err().map(|error| error.sqlstate.0)
    }

    fn pairs(settings: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }

    #[test]
    fn options_are_a_command_line() {
        let cases: [(&str, &[(&str, &str)]); 6] = [
            ("", &[]),
            ("-c geqo=off", &[("geqo", "off")]),
            ("  -cgeqo=off\t--statement-timeout=5min ", &[("geqo", "off"), ("statement_timeout", "5min")]),
            (r"-c search_path=a,\ b -c x=", &[("search_path", "a, b"), ("x", "")]),
            (r"--a=\\", &[("a", r"\")]),
            ("-c a=b=c", &[("a", "b=c")]),
        ];
        for (options, settings) in cases {
            assert_eq!(command_line(options).ok(), pairs(settings), "{options}");
        }
        for options in ["-c", "-c geqo", "--geqo", "-B 5", "geqo=off", "--=x", r"\"] {
            assert_eq!(sqlstate(command_line(options)), Some("42601"), "{options}");
        }
    }

    #[test]
    fn parameters_win_over_options() {
        let startup = decoded(
            196_608,
            &[
                ("user", "postgres"),
                ("application_name", "psql"),
                ("options", "-c application_name=x"),
                ("_pq_.a", "b"),
            ],
        );
        let wanted = pairs(&[("application_name", "x"), ("application_name", "psql")]);
        assert_eq!(startup.settings().ok(), wanted);
    }

    #[test]
    fn newer_wishes_are_negotiated() {
        assert_eq!(decoded(196_608, &[("user", "postgres")]).negotiation(), None);
        assert_eq!(decoded(196_610, &[("user", "postgres")]).negotiation(), None);
        assert_eq!(
            decoded((3 << 16) | 9999, &[]).negotiation(),
            Some(NegotiateProtocolVersion::new(196_610, Vec::new()))
        );
        assert_eq!(
            decoded(196_608, &[("_pq_.a", "b")]).negotiation(),
            Some(NegotiateProtocolVersion::new(196_608, vec!["_pq_.a".to_owned()]))
        );
        assert_eq!(sqlstate(decoded(2 << 16, &[]).check_version()), Some("0A000"));
    }

    #[test]
    fn the_user_has_to_exist_and_names_the_default_database() {
        let database = |parameters: &[(&str, &str)]| {
            let startup = decoded(196_608, parameters);
            startup.names().map(|(_, database)| database.to_owned())
        };
        assert_eq!(database(&[("user", "postgres")]).ok().as_deref(), Some("postgres"));
        assert_eq!(database(&[("user", "postgres"), ("database", "")]).ok().as_deref(), Some("postgres"));
        assert_eq!(database(&[("user", "postgres"), ("database", "x")]).ok().as_deref(), Some("x"));
        assert_eq!(sqlstate(database(&[("user", "x"), ("database", "audience")])), Some("28000"));
        assert_eq!(sqlstate(database(&[("database", "audience")])), Some("28000"));
    }

    #[test]
    fn packets_are_checked_to_their_end() {
        let whole = startup(196_608, &[("user", "postgres")]);
        for end in 0..whole.len() {
            assert_eq!(sqlstate(Packet::decode(whole.slice(..end))), Some("08P01"), "cut at {end}");
        }
        let mut cancel = CANCEL_REQUEST.to_be_bytes().to_vec();
        cancel.extend_from_slice(&[0, 0, 0, 7, 1, 2, 3, 4]);
        let key = Bytes::from_static(&[1, 2, 3, 4]);
        assert_eq!(Packet::decode(cancel.clone().into()).ok(), Some(Packet::Cancel { pid: 7, key }));
        cancel.pop();
        assert_eq!(sqlstate(Packet::decode(cancel.into())), Some("08P01"));
    }
}
