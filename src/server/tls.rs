//! TLS for the listener: certificate and key from files, loaded whole or not at all.
//!
//! It fails closed: a file that is missing, malformed, readable by everybody or that does not fit the others is an
//! error that names it, never a server without encryption. The files can be read again while the server runs; then
//! new connections get the new certificate, and a bad one leaves the old in place.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use pgwire::api::auth::sasl::scram::ScramServerAuth;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ServerConfig, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};

use crate::error::{Error, Result, SqlState};

/// The protocol's name in a TLS handshake, which a client that begins with TLS has to offer.
pub(super) const ALPN: &[u8] = b"postgresql";

/// The oldest version of TLS that is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum TlsVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3 alone.
    #[serde(rename = "1.3")]
    V1_3,
}

/// Where certificate and key are, and what is asked of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// The certificate chain in PEM, the server's own first.
    pub cert: PathBuf,
    /// Its private key in PEM: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
    /// Certificates in PEM of the authorities one of which must have signed the client's; `None` asks for none.
    pub client_ca: Option<PathBuf>,
    /// The oldest version spoken.
    pub min_version: TlsVersion,
}

/// What the listener needs for TLS; clones share it.
#[derive(Clone)]
pub struct Tls {
    options: Arc<TlsOptions>,
    loaded: Arc<RwLock<Loaded>>,
}

/// What was made of the files.
#[derive(Clone)]
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    /// Knows the certificate, so that a login can be bound to the connection; `None` if its signature algorithm
    /// has no such binding.
    pub(super) binding: Option<ScramServerAuth>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// F0000 names the file and what is wrong with it.
    pub fn load(options: TlsOptions) -> Result<Self> {
        let loaded = Loaded::read(&options)?;
        Ok(Self { options: Arc::new(options), loaded: Arc::new(RwLock::new(loaded)) })
    }

    /// Reads the files again, for connections from now on. On an error everything stays as it was.
    pub fn reload(&self) -> Result<()> {
        let loaded = Loaded::read(&self.options)?;
        *self.loaded.write() = loaded;
        Ok(())
    }

    pub(super) fn current(&self) -> Loaded {
        self.loaded.read().clone()
    }
}

impl Loaded {
    fn read(options: &TlsOptions) -> Result<Self> {
        let pem = read(&options.cert, "certificate")?;
        let chain = certificates(&pem, &options.cert, "certificate")?;
        check_privacy(&options.key)?;
        let key = private_key(&options.key)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = match options.min_version {
            TlsVersion::V1_2 => &[&TLS13, &TLS12][..],
            TlsVersion::V1_3 => &[&TLS13][..],
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(|e| wrong(&options.cert, "certificate", e))?;
        let builder = match &options.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(&read(path, "client CA")?, path, "client CA")? {
                    roots.add(certificate).map_err(|e| wrong(path, "client CA", e))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .map_err(|e| wrong(path, "client CA", e))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|e| match e {
            rustls::Error::InconsistentKeys(_) => wrong(
                &options.key,
                "private key",
                format!("it does not belong to the certificate \"{}\"", options.cert.display()),
            ),
            e => wrong(&options.cert, "certificate", e),
        })?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // As in PostgreSQL: connections live long, and what could be resumed would have to be kept.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let mut binding = ScramServerAuth::new();
        let bound = binding.configure_certificate(&pem);
        if let Err(e) = &bound {
            tracing::info!("logins are not bound to the TLS connection: {e}");
        }
        Ok(Self { config: Arc::new(config), binding: bound.is_ok().then_some(binding) })
    }
}

fn certificates(pem: &[u8], path: &Path, what: &str) -> Result<Vec<CertificateDer<'static>>> {
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|e| wrong(path, what, e))?;
    if found.is_empty() {
        return Err(wrong(path, what, "there is no certificate in it"));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let pem = read(path, "private key")?;
    if String::from_utf8_lossy(&pem).contains("ENCRYPTED") {
        return Err(wrong(path, "private key", "it is encrypted; decrypt it and restrict who can read the file"));
    }
    PrivateKeyDer::from_pem_slice(&pem).map_err(|e| match e {
        rustls::pki_types::pem::Error::NoItemsFound => wrong(path, "private key", "there is no private key in it"),
        e => wrong(path, "private key", e),
    })
}

/// As in PostgreSQL: only the owner reads a key, or root owns it and a group may read it.
fn check_privacy(path: &Path) -> Result<()> {
    let metadata = std::fs::metadata(path).map_err(|e| wrong(path, "private key", e))?;
    let open = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.mode() & open == 0 {
        return Ok(());
    }
    Err(wrong(path, "private key", "it has group or world access")
        .with_hint(format!("chmod 600 \"{}\" (a file of root may also be 640)", path.display())))
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| wrong(path, what, e))
}

fn wrong(path: &Path, what: &str, why: impl fmt::Display) -> Error {
    Error::new(SqlState::CONFIG_FILE_ERROR, format!("could not use {what} file \"{}\": {why}", path.display()))
}
