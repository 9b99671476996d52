//! SCRAM-SHA-256 verifiers, in the text form in which PostgreSQL keeps them (RFC 5802, RFC 7677):
//! `SCRAM-SHA-256$4096:salt$StoredKey:ServerKey`. From one, a password can be checked but not told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result, SqlState};

/// How often the hash is repeated, as in PostgreSQL.
const ITERATIONS: u32 = 4096;
const SALT_BYTES: usize = 16;
/// The hash works on blocks of this many bytes.
const BLOCK: usize = 64;
/// PostgreSQL's own bound on a password.
const MAX_PASSWORD: usize = 1024;

/// What is kept of `PASSWORD 'text'`: a verifier of the text, or the text itself if it is a verifier already.
///
/// # Errors
/// 0A000 for an MD5 hash, which we don't take logins with; 22023 for a password that is too long.
pub(crate) fn stored(text: &str) -> Result<String> {
    if is_verifier(text) {
        return Ok(text.to_owned());
    }
    let md5 = text.len() == 35 && text.starts_with("md5") && text[3..].bytes().all(|b| b.is_ascii_hexdigit());
    if md5 {
        return Err(Error::unsupported("an MD5 password").with_hint("give the password, or a SCRAM-SHA-256 verifier"));
    }
    if text.len() > MAX_PASSWORD {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "password too long"));
    }
    let mut salt = [0; SALT_BYTES];
    rand::rng().fill_bytes(&mut salt);
    Ok(verifier(text, &salt, ITERATIONS))
}

/// Whether a text has the form of a verifier.
pub(crate) fn is_verifier(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("SCRAM-SHA-256$") else { return false };
    let Some((first, keys)) = rest.split_once('$') else { return false };
    let (Some((iterations, salt)), Some((stored, server))) = (first.split_once(':'), keys.split_once(':')) else {
        return false;
    };
    let key = |text: &str| STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == 32);
    iterations.parse::<u32>().is_ok_and(|n| n > 0) && STANDARD.decode(salt).is_ok() && key(stored) && key(server)
}

fn verifier(password: &str, salt: &[u8], iterations: u32) -> String {
    // A password that isn't valid for SASLprep is taken as it is, as PostgreSQL and its clients do.
    let prepared = stringprep::saslprep(password);
    let password = prepared.as_deref().unwrap_or(password);
    let mut block = hmac(password.as_bytes(), &[salt, &1u32.to_be_bytes()]);
    let mut salted = block;
    for _ in 1..iterations {
        block = hmac(password.as_bytes(), &[&block]);
        salted.iter_mut().zip(block).for_each(|(all, one)| *all ^= one);
    }
    let stored = Sha256::digest(hmac(&salted, &[b"Client Key"]));
    let server = hmac(&salted, &[b"Server Key"]);
    format!(
        "SCRAM-SHA-256${iterations}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored),
        STANDARD.encode(server)
    )
}

/// HMAC-SHA-256 (RFC 2104).
fn hmac(key: &[u8], message: &[&[u8]]) -> [u8; 32] {
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let mut inner = Sha256::new();
    inner.update(block.map(|byte| byte ^ 0x36));
    message.iter().for_each(|part| inner.update(part));
    let mut outer = Sha256::new();
    outer.update(block.map(|byte| byte ^ 0x5c));
    outer.update(inner.finalize());
    outer.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a password is the one that a verifier was made of.
    fn matches(password: &str, verifier_text: &str) -> bool {
        let parts = verifier_text.strip_prefix("SCRAM-SHA-256$").and_then(|rest| rest.split_once('$'));
        let Some((iterations, salt)) = parts.and_then(|(first, _)| first.split_once(':')) else { return false };
        match (iterations.parse(), STANDARD.decode(salt)) {
            (Ok(iterations), Ok(salt)) => verifier(password, &salt, iterations) == verifier_text,
            _ => false,
        }
    }

    /// What PostgreSQL 15 stored for `CREATE ROLE x PASSWORD 'foo'`.
    const OF_FOO: &str = "SCRAM-SHA-256$4096:8nrGQ3Jd4YtMs6XHDhdhKg==$r62vn9RtZ9jFuY0XVNKh41msRbubuo59V9T0h5PseBU=:WJcTvPkfpBp2uIOe44vEdJOxD761k8tT8nRliWmIO2k=";

    #[test]
    fn makes_what_postgresql_makes() {
        assert!(is_verifier(OF_FOO));
        assert!(matches("foo", OF_FOO) && !matches("bar", OF_FOO));
        assert_eq!(stored(OF_FOO).unwrap(), OF_FOO);
    }

    #[test]
    fn every_verifier_has_its_own_salt_and_hides_the_password() {
        let (one, two) = (stored("hunter2").unwrap(), stored("hunter2").unwrap());
        assert_ne!(one, two);
        assert!(matches("hunter2", &one) && matches("hunter2", &two) && !matches("hunter3", &one));
        assert!(!one.contains("hunter2"));
        // Prepared: a no-break space is a space.
        assert!(matches("a b", &stored("a\u{a0}b").unwrap()));
        assert!(matches(&"long".repeat(40), &stored(&"long".repeat(40)).unwrap()));
    }

    #[test]
    fn refuses_what_could_not_be_logged_in_with() {
        assert_eq!(stored("md50123456789abcdef0123456789abcdef").unwrap_err().sqlstate.0, "0A000");
        assert!(is_verifier(&stored("md5 is a nice word").unwrap()));
        assert!(stored(&"x".repeat(1025)).is_err());
        for broken in ["SCRAM-SHA-256$", "SCRAM-SHA-256$4096:YQ==$YQ==:YQ==", "SCRAM-SHA-256$0:YQ==$x:y"] {
            assert!(!is_verifier(broken), "{broken}");
        }
    }
}
