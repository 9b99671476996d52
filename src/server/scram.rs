//! SCRAM-SHA-256: a client proves that it knows a password without sending it, and the server proves that it knows
//! the password's verifier.
//!
//! pgwire does the arithmetic. What it is handed was checked here first: which mechanism goes with which kind of
//! channel binding, and lengths. A user that does not exist, has no password or whose password has expired goes
//! through the same exchange with a made-up verifier, and cannot be told from a wrong password.

use bytes::Bytes;
use pgwire::api::auth::sasl::scram::{ScramSecret, ScramServerAuth};
use pgwire::api::auth::sasl::{SCRAM_SHA_256_METHOD, SCRAM_SHA_256_PLUS_METHOD};
use pgwire::error::PgWireError;
use pgwire::messages::startup::Authentication;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result, SqlState};

use super::error::{End, protocol_violation};
use super::frontend::Body;
use super::wire::Wire;

/// Rounds of hashing that a made-up verifier claims: those of a new password.
const MOCK_ITERATIONS: usize = 4096;
/// Bytes of SHA-256, of a verifier's keys, and of a made-up salt.
const KEY: usize = 32;
const SALT: usize = 16;

/// What is kept of a password: enough to check it, not enough to log in with it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Verifier {
    iterations: usize,
    salt: Vec<u8>,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

impl Verifier {
    /// Reads `SCRAM-SHA-256$iterations:salt$stored key:server key`, as PostgreSQL keeps it; `None` if it isn't one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (rounds, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let (iterations, salt) = rounds.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let (stored_key, server_key) = (base64(stored_key)?, base64(server_key)?);
        let iterations = iterations.parse().ok().filter(|n| *n > 0)?;
        (stored_key.len() == KEY && server_key.len() == KEY)
            .then(|| base64(salt).map(|salt| Self { iterations, salt, stored_key, server_key }))?
    }

    /// One that no password matches: always the same salt for the same user and `secret`, as a real one has.
    pub(super) fn mock(user: &str, secret: &[u8]) -> Self {
        let hash = |what: &[u8]| Sha256::new().chain_update(secret).chain_update(what).chain_update(user).finalize();
        let salt = hash(b"salt of ")[..SALT].to_vec();
        // Random each time: no key that hashes to it can be looked for.
        let stored_key = rand::random::<[u8; KEY]>().to_vec();
        Self { iterations: MOCK_ITERATIONS, salt, stored_key, server_key: vec![0; KEY] }
    }

    fn secret(self) -> ScramSecret {
        let Self { iterations, salt, stored_key, server_key } = self;
        ScramSecret::Verifier { salt, iterations, stored_key, server_key }
    }
}

/// Asks the client for its password; true if it knows it. With `binding` it may bind the login to the encrypted
/// connection, and must not believe that it can't.
pub(super) async fn exchange(
    wire: &mut Wire,
    verifier: Verifier,
    binding: Option<&ScramServerAuth>,
) -> Result<bool, End> {
    let mut mechanisms = vec![SCRAM_SHA_256_METHOD.to_owned()];
    if binding.is_some() {
        mechanisms.insert(0, SCRAM_SHA_256_PLUS_METHOD.to_owned());
    }
    ask(wire, Authentication::SASL(mechanisms)).await?;
    let (mechanism, first) = first(answer(wire).await?).map_err(End::fatal)?;
    let bound = mechanism == SCRAM_SHA_256_PLUS_METHOD && binding.is_some();
    if !bound && mechanism != SCRAM_SHA_256_METHOD {
        return Err(End::fatal(protocol_violation("client selected an invalid SASL authentication mechanism")));
    }
    if bound != first.starts_with(b"p=") {
        let error = protocol_violation("malformed SCRAM message")
            .with_detail("The mechanism and the channel binding data do not go together.");
        return Err(End::fatal(error));
    }

    let plain = ScramServerAuth::new();
    let server = binding.unwrap_or(&plain);
    let (question, server) =
        server.on_client_first_message_with_secret(&first, verifier.secret()).map_err(|e| End::fatal(refused(&e)))?;
    ask(wire, Authentication::SASLContinue(Bytes::from(question))).await?;
    let proof = answer(wire).await?;
    match server.on_client_final_message(&proof) {
        Ok(signature) => {
            wire.push(Authentication::SASLFinal(Bytes::from(signature))).map_err(End::fatal)?;
            Ok(true)
        }
        Err(PgWireError::InvalidPassword(_)) => Ok(false),
        Err(e) => Err(End::fatal(refused(&e))),
    }
}

async fn ask(wire: &mut Wire, question: Authentication) -> Result<(), End> {
    wire.push(question).map_err(End::fatal)?;
    wire.flush().await
}

async fn answer(wire: &mut Wire) -> Result<Bytes, End> {
    match wire.frame(None, false).await? {
        Some(frame) if frame.tag == b'p' => Ok(frame.body),
        Some(frame) => {
            let message = format!("expected SASL response, got message type {}", frame.tag);
            Err(End::fatal(protocol_violation(message)))
        }
        None => Err(End::Gone),
    }
}

/// The first answer: the mechanism that the client chose, and what it says in it.
fn first(answer: Bytes) -> Result<(String, Bytes)> {
    let mut body = Body(answer);
    let mechanism = body.text()?;
    let data = body.value()?.ok_or_else(|| protocol_violation("malformed SCRAM message"))?;
    body.finish()?;
    Ok((mechanism, data))
}

/// An exchange that cannot go on. What the client sent is not repeated.
fn refused(error: &PgWireError) -> Error {
    let denied = |message: &str| Error::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message);
    match error {
        PgWireError::InvalidScramMessage(text) if text.starts_with("Channel binding downgrade") => {
            denied("SCRAM channel binding negotiation error").with_detail(
                "The client supports SCRAM channel binding but thinks the server does not. However, this server does.",
            )
        }
        PgWireError::InvalidScramMessage(text) if text == "Channel binding mismatch" => {
            denied("SCRAM channel binding check failed")
                .with_hint("something between the client and this server may be decrypting the connection")
        }
        _ => protocol_violation("malformed SCRAM message"),
    }
}

/// Standard base64 with its padding; `None` for anything else.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    // What is left of the last digit has to be nothing.
    (bits & ((1 << count) - 1) == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::BufMut;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::super::wire::Shutdown;
    use super::*;
    use crate::metrics::Metrics;

    /// What PostgreSQL makes of "pencil" with the salt "0123456789abcdef".
    fn pencil() -> Verifier {
        Verifier::parse(PENCIL).unwrap()
    }

    const PENCIL: &str = "SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$nQpbZ77WudtqufPwikHXGRt6g2QJ4zns8bZLw273DRM=:jn2amWP1q1h+jgjy0YTO14S6/F02SV7taipOeB7ef20=";

    fn framed(body: &[u8]) -> Vec<u8> {
        let mut message = vec![b'p'];
        message.put_u32(body.len() as u32 + 4);
        message.extend_from_slice(body);
        message
    }

    fn initial(mechanism: &str, data: &[u8]) -> Vec<u8> {
        let mut body = [mechanism.as_bytes(), b"\0"].concat();
        body.put_u32(data.len() as u32);
        body.extend_from_slice(data);
        framed(&body)
    }

    /// What the server makes of these messages, sent one after the other's answer.
    async fn told(messages: &[Vec<u8>]) -> Result<bool, End> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let mut wire = Wire::new(server, Shutdown::default(), Arc::new(Metrics::new()));
        let talk = async {
            for message in messages {
                let mut head = [0; 5];
                client.read_exact(&mut head).await.unwrap();
                let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize - 4;
                client.read_exact(&mut vec![0; length]).await.unwrap();
                client.write_all(message).await.unwrap();
            }
        };
        tokio::join!(exchange(&mut wire, pencil(), None), talk).0
    }

    fn sqlstate(outcome: Result<bool, End>) -> &'static str {
        match outcome {
            Err(End::Fatal(error)) => error.sqlstate.0,
            Err(_) => "gone",
            Ok(true) => "in",
            Ok(false) => "wrong",
        }
    }

    #[tokio::test]
    async fn nothing_malformed_gets_in_or_panics() {
        let first = |data: &[u8]| initial("SCRAM-SHA-256", data);
        for bad in [
            &b""[..],
            b"n",
            b"n,,",
            b"n,,n=",
            b"n,,n=,r",
            b"x,,n=,r=abc",
            b"n,a=x,n=,r=abc",
            b"n,,m=1,r=abc",
            b"y",
            b"p=tls-unique,,n=,r=abc",
            b"\xff\xfe",
            b",,,,,,,",
        ] {
            assert_eq!(sqlstate(told(&[first(bad)]).await), "08P01", "{bad:?}");
        }
        for (mechanism, data) in [
            ("SCRAM-SHA-256-PLUS", &b"p=tls-server-end-point,,n=,r=abc"[..]),
            ("SCRAM-SHA-1", b"n,,n=,r=abc"),
            ("", b"n,,n=,r=abc"),
        ] {
            assert_eq!(sqlstate(told(&[initial(mechanism, data)]).await), "08P01", "{mechanism}");
        }
        // Lengths that lie, and an answer too long for a login.
        for body in [&b"SCRAM-SHA-256"[..], b"SCRAM-SHA-256\0\x7f\xff\xff\xffn,,", b"SCRAM-SHA-256\0\xff\xff\xff\xff"] {
            assert_eq!(sqlstate(told(&[framed(body)]).await), "08P01", "{body:?}");
        }
        assert_eq!(sqlstate(told(&[framed(&[b'a'; 2_000])]).await), "08P01");
        let good = first(b"n,,n=,r=abc");
        for bad in [&b""[..], b",p=", b"c=biws", b"c=biws,r=abc,p=AAAA", b"c=\xff,r=abc,p=AAAA", b"p=,p=,p="] {
            assert_eq!(sqlstate(told(&[good.clone(), framed(bad)]).await), "08P01", "{bad:?}");
        }
        // Whole, but bound to another channel.
        assert_eq!(sqlstate(told(&[good.clone(), framed(b"c=,r=,p=")]).await), "28000");
        // Another message than the one that was asked for.
        assert_eq!(sqlstate(told(&[b"Q\0\0\0\x09SEL\0\0".to_vec()]).await), "08P01");
    }

    #[test]
    fn verifiers_are_read_whole() {
        assert_eq!(pencil().salt, b"0123456789abcdef");
        for bad in ["", "md5abc", &PENCIL[..PENCIL.len() - 4], &PENCIL.replace("4096", "0"), &PENCIL.replace(':', "")] {
            assert!(Verifier::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn base64_is_strict() {
        for (text, bytes) in
            [("", &b""[..]), ("YQ==", b"a"), ("YWI=", b"ab"), ("YWJj", b"abc"), ("+/+/", b"\xfb\xff\xbf")]
        {
            assert_eq!(base64(text).as_deref(), Some(bytes), "{text}");
        }
        for text in ["Y", "YQ", "YQ=", "YR==", "YW=j", "====", "YW J", "YQ==YQ=="] {
            assert_eq!(base64(text), None, "{text}");
        }
    }

    #[test]
    fn a_made_up_salt_stays_the_same() {
        let salt = |user: &str, secret: &[u8]| Verifier::mock(user, secret).salt;
        assert_eq!(salt("ana", b"s"), salt("ana", b"s"));
        assert_ne!(salt("ana", b"s"), salt("bob", b"s"));
        assert_ne!(salt("ana", b"s"), salt("ana", b"t"));
    }
}
