//! The two addresses that a gateway listens at: bound before anything else, and what they show of TLS.

use std::sync::Arc;

use super::StartError;
use crate::{
    config::{Config, ServerTls, reload::Live},
    server::{Server, TlsNow},
    tls::ListenerTls,
};

/// Both addresses, bound; a node that takes nothing in needs but one.
pub(super) struct Doors {
    pub ingest: Option<Server>,
    pub admin: Server,
}

impl Doors {
    /// The same doors, showing what the configuration in use says.
    pub fn with_tls(self, config: &Live) -> Self {
        let ingest = tls_now(config, |tls| tls.ingest.clone());
        let admin = tls_now(config, |tls| tls.admin.clone());
        Doors { ingest: self.ingest.map(|server| server.with_tls(ingest)), admin: self.admin.with_tls(admin) }
    }

    pub fn bind(settings: &Config) -> Result<Self, StartError> {
        let bind = |key, address| Server::bind(address).map_err(|error| StartError::Bind { key, error });
        let wanted = settings.server.role.ingests();
        let ingest = wanted.then(|| bind("server.ingest", settings.server.ingest)).transpose()?;
        let admin = bind("server.admin", settings.server.admin)?;
        Ok(Doors { ingest, admin })
    }
}

/// What a listener that begins with TLS shows from then on.
fn tls_now(config: &Live, of: fn(&ServerTls) -> Option<Arc<ListenerTls>>) -> Option<TlsNow> {
    let first = of(&config.config().server.tls)?;
    let config = config.shared();
    Some(Arc::new(move || of(&config.load().server.tls).unwrap_or_else(|| first.clone())))
}
