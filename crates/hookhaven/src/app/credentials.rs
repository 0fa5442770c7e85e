//! What publishing needs, found or made at a start: the token and the signing keys.

use hookhaven_core::Secret;
use hookhaven_store::{Store, clock::Entropy};

use super::{StartError, token};
use crate::{
    config::{Config, SigningKeys},
    publish::keys,
    seal::Vault,
};

/// Credentials of publishing that nobody knows yet.
#[derive(Debug, Default)]
pub struct Made {
    pub token: Option<Secret>,
    pub keys: Option<SigningKeys>,
}

/// Finds what publishing needs, or makes it, and says what was made; the token joins the configuration.
pub(super) async fn credentials(
    config: &mut Config,
    store: &dyn Store,
    entropy: &dyn Entropy,
    vault: Option<&Vault>,
) -> Result<(Made, SigningKeys), StartError> {
    let token = token::publish(config, entropy, vault)?;
    config.publish.made_token = token.as_ref().map(|token| token.secret.clone());
    let found = keys::find_or_make(store, &config.publish, entropy).await?;
    let made = Made {
        token: token.filter(|token| token.is_new).map(|token| token.secret),
        keys: found.made.then(|| found.keys.clone()),
    };
    Ok((made, found.keys))
}
