//! TLS of the listeners: from PEM files to what is served, and what a client shows of itself.
//!
//! A pair that does not fit together is refused here, before anybody is served with it. Clients are asked for a
//! certificate only where a `client_ca` is configured, and may do without: whether a source insists is its own matter,
//! and what it insists on is a name, since an authority signs for many. Not here: which files (`config`), the handshake
//! (`server`), TLS of deliveries (`egress`).

pub mod pinned;

use std::{fmt, sync::Arc};

use hookhaven_core::source::ClientName;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use webpki::EndEntityCert;

/// By which HTTP goes on, best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The PEM of one listener.
#[derive(Clone, Copy)]
pub struct Pem<'a> {
    /// The listener's own certificate first, then those that lead to its root.
    pub certificate: &'a [u8],
    pub key: &'a [u8],
    /// Whose client certificates are taken; `None`: clients are not asked for any.
    pub client_ca: Option<&'a [u8]>,
}

/// What is wrong, and with which file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPem {
    #[error("{0}")]
    Certificate(String),
    #[error("{0}")]
    Key(String),
    #[error("{0}")]
    ClientCa(String),
}

/// What a listener serves.
#[derive(Clone)]
pub struct ListenerTls {
    config: Arc<ServerConfig>,
    certificate: CertificateDer<'static>,
    asks_clients: bool,
}

impl ListenerTls {
    /// # Errors
    /// A file without what it should hold, or a key of another certificate.
    pub fn new(pem: Pem<'_>) -> Result<Self, BadPem> {
        let chain = certificates(pem.certificate).map_err(BadPem::Certificate)?;
        let Some(certificate) = chain.first().cloned() else {
            return Err(BadPem::Certificate("there is no certificate in it".to_owned()));
        };
        let key = PrivateKeyDer::from_pem_slice(pem.key)
            .map_err(|_| BadPem::Key("there is no private key in it that can be read".to_owned()))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| BadPem::Certificate(error.to_string()))?;
        let builder = match pem.client_ca {
            None => builder.with_no_client_auth(),
            Some(roots) => builder.with_client_cert_verifier(client_verifier(roots, provider)?),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => BadPem::Key("it is not the key of the certificate".to_owned()),
            error => BadPem::Certificate(error.to_string()),
        })?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(ListenerTls { config: Arc::new(config), certificate, asks_clients: pem.client_ca.is_some() })
    }

    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// The listener's own certificate.
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// Whether clients may show a certificate.
    pub fn asks_clients(&self) -> bool {
        self.asks_clients
    }
}

/// Nothing of the key (I6).
impl fmt::Debug for ListenerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerTls").field("asks_clients", &self.asks_clients).finish_non_exhaustive()
    }
}

fn client_verifier(
    roots: &[u8],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, BadPem> {
    let mut store = RootCertStore::empty();
    for root in certificates(roots).map_err(BadPem::ClientCa)? {
        store.add(root).map_err(|error| BadPem::ClientCa(error.to_string()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|_| BadPem::ClientCa("there is no certificate in it".to_owned()))
}

/// The first certificate of a PEM file.
pub fn first_certificate(pem: &[u8]) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem).ok()
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    read.map_err(|_| "it is not PEM".to_owned())
}

/// What a client showed and proved to have; with the handlers a request extension. Its authority is one of the
/// listener's `client_ca`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate(pub CertificateDer<'static>);

impl ClientCertificate {
    /// Whether it is made out for one of these names, by its subject alternative names alone.
    pub fn is_for(&self, names: &[ClientName]) -> bool {
        EndEntityCert::try_from(&self.0).is_ok_and(|certificate| {
            names.iter().any(|name| certificate.verify_is_valid_for_subject_name(name).is_ok())
        })
    }
}
