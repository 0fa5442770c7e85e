//! What is done to the world outside, after the commit of the event behind it. Each gets a key that is the same at
//! every try: pass it to the provider as its idempotency key. Put your provider's client in place of the post.

use std::{env, error::Error};

pub(crate) const ALL: &[&str] = &["mail", "build", "message", "fulfilment", "record"];

pub(crate) async fn perform(
    client: &reqwest::Client,
    effect: &str,
    payload: String,
    key: &str,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    match effect {
        // Sends the mail. A service that takes no key may send it twice, if this process dies just then.
        "mail" => post(client, "MAIL_URL", payload, key).await,
        // Starts the build. Where the key is no parameter of yours, let builds of one commit replace each other.
        "build" => post(client, "BUILD_URL", payload, key).await,
        // Says it to a person. A service that takes no key may say it twice, if this process dies just then.
        "message" => post(client, "MESSAGE_URL", payload, key).await,
        // Gives or takes what was paid for, by the newest state. Let it set, not add: set twice is harmless.
        "fulfilment" => post(client, "FULFILMENT_URL", payload, key).await,
        // Records it. Make the key the id of the record, and twice is once.
        "record" => post(client, "RECORD_URL", payload, key).await,
        _ => Err(format!("nothing performs {effect}").into()),
    }
}

/// Posts to the address in this variable; an error unless the answer is 2xx, and then it is tried again.
async fn post(
    client: &reqwest::Client,
    variable: &str,
    payload: String,
    key: &str,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let url = env::var(variable).map_err(|_| format!("{variable} is not set"))?;
    let request = client.post(url).header("content-type", "application/json").header("idempotency-key", key);
    // Without the address, which may hold a secret.
    let unreached = |error: reqwest::Error| format!("{variable} is not reached: {:?}", error.without_url());
    let status = request.body(payload).send().await.map_err(unreached)?.status();
    if !status.is_success() {
        return Err(format!("{variable} answers {status}").into());
    }
    Ok(())
}
