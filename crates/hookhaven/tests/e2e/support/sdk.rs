//! The senders' own SDKs, in a Node process that signs and verifies line by line (`tests-clients/`).

use std::{collections::BTreeMap, path::PathBuf, process::Stdio};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::soon;

/// What is to be signed, as its sender would.
#[derive(Clone, Debug)]
pub struct ToSign<'a> {
    /// `stripe`, `github`, `slack`, `twilio` or `standard-webhooks`.
    pub sender: &'a str,
    pub secret: &'a str,
    /// UTF-8: the SDKs sign text.
    pub body: &'a str,
    /// The public URL, without the query that Twilio adds.
    pub url: &'a str,
    pub timestamp_s: u64,
    pub id: &'a str,
    pub event_type: &'a str,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Signed {
    pub headers: Vec<(String, String)>,
    /// With its `?`; mostly empty.
    pub query: String,
}

#[derive(Debug)]
pub struct Sdk {
    _node: Child,
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Sdk {
    pub fn start() -> Self {
        let mut node =
            node("sdk.mjs").stdin(Stdio::piped()).spawn().expect("Node.js runs: cargo xtask test installs it");
        let requests = node.stdin.take().expect("a pipe to Node");
        let answers = BufReader::new(node.stdout.take().expect("a pipe from Node")).lines();
        Sdk { _node: node, requests, answers }
    }

    pub async fn sign(&mut self, what: &ToSign<'_>) -> Signed {
        let ToSign { sender, secret, body, url, timestamp_s, id, event_type } = what;
        let body = BASE64_STANDARD.encode(body);
        let request = json!({
            "op": "sign", "sender": sender, "secret": secret, "body": body, "url": url,
            "timestamp": timestamp_s, "id": id, "event_type": event_type,
        });
        let answer = self.ask(&request).await;
        serde_json::from_value(answer.clone()).unwrap_or_else(|_| panic!("{sender}: the SDK says {answer}"))
    }

    /// Signs for a sender of the catalogue; `more` is what its signer wants to know besides.
    pub async fn sign_as(
        &mut self,
        signer: &str,
        secret: &str,
        body: &str,
        timestamp_s: u64,
        id: &str,
        more: &Value,
    ) -> Signed {
        let mut request = json!({
            "op": "sign", "sender": signer, "secret": secret, "body": BASE64_STANDARD.encode(body),
            "timestamp": timestamp_s, "id": id,
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            request[name] = value.clone();
        }
        let answer = self.ask(&request).await;
        serde_json::from_value(answer.clone()).unwrap_or_else(|_| panic!("{signer}: the SDK says {answer}"))
    }

    /// Whether a handler that uses the standardwebhooks SDK takes an attempt for ours; if not, why not.
    pub async fn verify(&mut self, secret: &str, headers: &http::HeaderMap, body: &[u8]) -> Result<(), String> {
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers: BTreeMap<_, _> = headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        let body = BASE64_STANDARD.encode(body);
        let answer = self.ask(&json!({ "op": "verify", "secret": secret, "headers": headers, "body": body })).await;
        match answer.get("accepted").and_then(Value::as_bool) {
            Some(true) => Ok(()),
            Some(false) => Err(answer["reason"].as_str().unwrap_or_default().to_owned()),
            None => panic!("the SDK says {answer}"),
        }
    }

    async fn ask(&mut self, request: &Value) -> Value {
        let line = format!("{request}\n");
        self.requests.write_all(line.as_bytes()).await.expect("Node listens");
        let answer = soon("the SDK's answer", self.answers.next_line()).await.expect("Node answers in UTF-8");
        let answer = answer.expect("Node has ended: see its error above");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{answer}: {error}"))
    }
}

/// GitHub's example payloads, from its own package: the event's name and the body.
pub async fn github_payloads() -> Vec<(String, String)> {
    let output = soon("the payloads", node("payloads.mjs").output()).await.expect("Node.js runs");
    assert!(output.status.success(), "payloads.mjs ended with {}", output.status);
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let read = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("a JSON line");
        (line["name"].as_str().expect("a name").to_owned(), line["payload"].to_string())
    };
    text.lines().map(read).collect()
}

/// A request of a shape that a sender declares in a package of its own.
#[derive(Clone, Debug, Deserialize)]
pub struct Shape {
    pub sender: String,
    /// The package, and what of it.
    pub origin: String,
    /// The body is a form, else JSON.
    pub form: bool,
    pub body: String,
}

/// Shapes made from the packages of Stripe, Slack and Twilio, those for Node.js and those for Python.
pub async fn shapes() -> Vec<Shape> {
    let mut all = Vec::new();
    for (what, mut command) in [("shapes.mjs", node("shapes.mjs")), ("shapes.py", python("shapes.py"))] {
        let output = soon("the shapes", command.output()).await.expect("it runs");
        assert!(output.status.success(), "{what} ended with {}", output.status);
        let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        all.extend(text.lines().map(|line| serde_json::from_str::<Shape>(line).expect("a JSON line")));
    }
    all
}

fn node(script: &str) -> Command {
    assert!(clients().join("node_modules").is_dir(), "the senders' SDKs are not installed: run cargo xtask test");
    program("node", script)
}

fn python(script: &str) -> Command {
    let python = clients().join(".venv/bin/python");
    assert!(python.exists(), "the packages for Python are not installed: run cargo xtask test");
    program(&python.to_string_lossy(), script)
}

fn program(program: &str, script: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(script).current_dir(clients()).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

fn clients() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests-clients")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn to_sign<'a>(sender: &'a str, body: &'a str, timestamp_s: u64) -> ToSign<'a> {
        let (id, event_type, url) = ("msg_1", "ping", "https://hooks.example.test/webhooks/x");
        ToSign { sender, secret: SECRET, body, url, timestamp_s, id, event_type }
    }

    #[tokio::test]
    async fn the_sdks_sign_and_verify() {
        let mut sdk = Sdk::start();
        let now_s = hookhaven_load::now::unix_s();
        let signed = sdk.sign(&to_sign("standard-webhooks", "{\"a\":1}", now_s)).await;
        let mut headers = http::HeaderMap::new();
        for (name, value) in &signed.headers {
            headers.insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        assert_eq!(sdk.verify(SECRET, &headers, b"{\"a\":1}").await, Ok(()));
        assert_eq!(sdk.verify(SECRET, &headers, b"{\"a\":2}").await, Err("No matching signature found".into()));

        let signed = sdk.sign(&to_sign("stripe", "{}", 1_700_000_000)).await;
        assert!(signed.headers[1].1.starts_with("t=1700000000,v1="), "{signed:?}");
        let signed = sdk.sign(&to_sign("twilio", "{}", now_s)).await;
        assert!(signed.query.starts_with("?bodySHA256="), "{signed:?}");
    }

    #[tokio::test]
    async fn github_publishes_payloads() {
        let payloads = github_payloads().await;
        assert!(payloads.len() > 200 && payloads.iter().any(|(name, _)| name == "ping"));
    }
}
