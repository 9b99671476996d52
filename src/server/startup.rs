//! From the first byte of a connection to its first ReadyForQuery.
//!
//! A client may begin with TLS, ask for it, or do without where that is allowed. Then it says who it is and, once any
//! role has a password, proves it. Until one has, only the superuser `postgres` gets in, and only over a loopback
//! address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catalog::objects::RoleDef;
use pgwire::api::auth::sasl::scram::ScramServerAuth;
use pgwire::messages::Message;
use pgwire::messages::response::{GssEncResponse, SslResponse};
use pgwire::messages::startup::{Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SecretKey};
use tokio::time;

use crate::engine::has_expired;
use crate::error::{Error, Result, SqlState};
use crate::session::Session;

use super::cancel::Registration;
use super::error::{End, protocol_violation, wire_text};
use super::frontend::Body;
use super::listener::{Plaintext, Server};
use super::scram::{self, Verifier};
use super::slots::Slot;
use super::tls::ALPN;
use super::wire::Wire;

/// The role that is trusted until there are passwords.
const SUPERUSER: &str = "postgres";
/// Newest minor version of protocol 3 that we speak.
const NEWEST_MINOR: u16 = 2;
/// How long a wrong password's answer is held back, so that guessing is slow.
const GUESS_DELAY: Duration = Duration::from_millis(500);

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
    pub(super) slot: Slot,
    /// The role it is.
    pub(super) user: String,
}

/// Greets the client and puts the answer up to the first ReadyForQuery, which sends it. A cancel
/// request is carried out and ends the connection as `End::Closed`.
pub(super) async fn open(server: &Server, wire: &mut Wire, peer: SocketAddr) -> Result<Login, End> {
    let mut binding = None;
    if server.options.tls.is_some() && wire.begins_with_tls().await? {
        let (protocol, bound) = encrypt(server, wire).await?;
        if protocol.as_deref() != Some(ALPN) {
            let error = protocol_violation("direct TLS without the application protocol \"postgresql\"")
                .with_hint("connect with sslnegotiation=postgres, or with a client that offers it (ALPN)");
            return Err(End::fatal(error));
        }
        binding = bound;
    }
    let startup = match greet(server, wire, &mut binding).await? {
        Greeting::Startup(startup) => startup,
        Greeting::Cancel { pid, key } => {
            server.backends.cancel(pid, &key);
            return Err(End::Closed);
        }
    };
    startup.check_version().map_err(End::fatal)?;
    if let Some(negotiation) = startup.negotiation() {
        wire.push(negotiation).map_err(End::fatal)?;
    }
    let (user, database) = startup.names().map_err(End::fatal)?;
    check_encryption(server.options.plaintext, wire, peer, user, database).map_err(End::fatal)?;
    let account = authenticate(server, wire, peer, user, binding.as_ref()).await?;
    admit(server, wire, peer, &startup, &account).map_err(End::fatal)
}

/// Puts the connection into TLS, with what binds a login to it.
async fn encrypt(server: &Server, wire: &mut Wire) -> Result<(Option<Vec<u8>>, Option<ScramServerAuth>), End> {
    let Some(tls) = &server.options.tls else { return Err(End::Gone) };
    let loaded = tls.current();
    let protocol = wire.encrypt(loaded.config).await?;
    Ok((protocol, loaded.binding))
}

/// Whether this client may talk without encryption, if it does.
fn check_encryption(plaintext: Plaintext, wire: &Wire, peer: SocketAddr, user: &str, database: &str) -> Result<()> {
    let allowed = match plaintext {
        Plaintext::Always => true,
        Plaintext::Loopback => peer.ip().to_canonical().is_loopback(),
        Plaintext::Never => false,
    };
    if allowed || wire.is_encrypted() {
        return Ok(());
    }
    let message = format!(
        "connections without TLS are refused for host \"{}\", user \"{user}\", database \"{database}\"",
        peer.ip()
    );
    Err(Error::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message).with_hint("connect with sslmode=require"))
}

/// Finds out that the client is who it says it is.
async fn authenticate(
    server: &Server,
    wire: &mut Wire,
    peer: SocketAddr,
    user: &str,
    binding: Option<&ScramServerAuth>,
) -> Result<Arc<RoleDef>, End> {
    let accounts = server.engine.accounts().await.map_err(End::fatal)?;
    let account = accounts.find(user);
    if !accounts.has_passwords() {
        return trusted(peer, user, account).map_err(End::fatal);
    }
    let (verifier, reason) = match account.map(|account| (account, &account.password)) {
        None => (None, "there is no such role"),
        Some((account, _)) if has_expired(account) => (None, "its password has expired"),
        Some((_, None)) => (None, "it has no password"),
        Some((_, Some(text))) => (Verifier::parse(text), "its password is not a SCRAM verifier"),
    };
    let real = verifier.is_some();
    let verifier = verifier.unwrap_or_else(|| Verifier::mock(user, accounts.secret()));
    let proven = scram::exchange(wire, verifier, binding).await?;
    match account {
        Some(account) if real && proven => {
            if account.login {
                return Ok(Arc::clone(account));
            }
            let message = format!("role \"{user}\" is not permitted to log in");
            Err(End::fatal(Error::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message)))
        }
        _ => {
            let reason = if real { "wrong password" } else { reason };
            tracing::warn!(%peer, user = ?user, reason, "login failed");
            server.engine.metrics().login_failed();
            time::sleep(GUESS_DELAY).await;
            let message = format!("password authentication failed for user \"{user}\"");
            Err(End::fatal(Error::new(SqlState::INVALID_PASSWORD, message)))
        }
    }
}

/// While nobody has a password: the superuser, from this machine.
fn trusted(peer: SocketAddr, user: &str, account: Option<&Arc<RoleDef>>) -> Result<Arc<RoleDef>> {
    let denied = |message: String| Error::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message);
    if !peer.ip().to_canonical().is_loopback() {
        return Err(denied(format!("connections from {} are not trusted", peer.ip()))
            .with_hint("set a password from the server's own machine: ALTER ROLE postgres PASSWORD '...'"));
    }
    match account {
        Some(account) if user == SUPERUSER => Ok(Arc::clone(account)),
        Some(_) => Err(denied(format!("role \"{user}\" has no password"))
            .with_hint("until a role has a password only \"postgres\" is trusted: ALTER ROLE ... PASSWORD '...'")),
        None => Err(denied(format!("role \"{user}\" does not exist")).with_hint(format!("connect as {SUPERUSER}"))),
    }
}

/// Gives the client a place, makes its session, and puts the whole answer.
fn admit(server: &Server, wire: &mut Wire, peer: SocketAddr, startup: &Startup, account: &RoleDef) -> Result<Login> {
    let (user, database) = startup.names()?;
    // Below zero is no limit.
    let limit = usize::try_from(account.connection_limit).ok();
    let slot = server.slots.take(user, account.superuser, limit)?;
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
    Ok(Login { session, backend, slot, user: user.to_owned() })
}

/// What a connection is for.
enum Greeting {
    Startup(Startup),
    Cancel { pid: i32, key: Bytes },
}

/// Reads up to the startup message or the cancel request, encrypting the connection on the way if the client asks
/// for TLS and there is any.
async fn greet(server: &Server, wire: &mut Wire, binding: &mut Option<ScramServerAuth>) -> Result<Greeting, End> {
    let (mut ssl_asked, mut gss_asked) = (wire.is_encrypted(), wire.is_encrypted());
    loop {
        let packet = wire.startup_packet().await?;
        match Packet::decode(packet).map_err(End::fatal)? {
            Packet::SslRequest if !ssl_asked => {
                ssl_asked = true;
                if server.options.tls.is_none() {
                    answer(wire, SslResponse::Refuse, "SSL").await?;
                    continue;
                }
                answer(wire, SslResponse::Accept, "SSL").await?;
                *binding = encrypt(server, wire).await?.1;
                gss_asked = true;
            }
            Packet::GssEncryptionRequest if !gss_asked => {
                gss_asked = true;
                answer(wire, GssEncResponse::Refuse, "GSSAPI encryption").await?;
            }
            Packet::SslRequest | Packet::GssEncryptionRequest => {
                return Err(End::fatal(protocol_violation("encryption was requested twice")));
            }
            Packet::Cancel { pid, key } => return Ok(Greeting::Cancel { pid, key }),
            Packet::Startup(startup) => return Ok(Greeting::Startup(startup)),
        }
    }
}

/// Answers a request for encryption. A client has to wait for the answer: bytes that are already there were
/// put by somebody in between, who wants them read as if they were the client's.
async fn answer(wire: &mut Wire, answer: impl Message, request: &str) -> Result<(), End> {
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

    /// User and database, which defaults to the user's name.
    fn names(&self) -> Result<(&str, &str)> {
        match self.parameter("user") {
            Some(user) => Ok((user, self.parameter("database").unwrap_or(user))),
            None => Err(Error::new(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "no user name specified in startup packet",
            )),
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
    fn the_user_names_the_default_database() {
        let database = |parameters: &[(&str, &str)]| {
            let startup = decoded(196_608, parameters);
            startup.names().map(|(_, database)| database.to_owned())
        };
        assert_eq!(database(&[("user", "postgres")]).ok().as_deref(), Some("postgres"));
        assert_eq!(database(&[("user", "postgres"), ("database", "")]).ok().as_deref(), Some("postgres"));
        assert_eq!(database(&[("user", "postgres"), ("database", "x")]).ok().as_deref(), Some("x"));
        assert_eq!(database(&[("user", "x")]).ok().as_deref(), Some("x"));
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
