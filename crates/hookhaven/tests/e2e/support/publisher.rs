//! A program that publishes: calls of the API as QStash's clients make them, on one connection.

use std::net::SocketAddr;

use hookhaven_load::client::{self, Answer, Connection};
use serde_json::Value;

use super::soon;

pub const TOKEN: &str = "a-token-of-the-tests-0123456789";

/// The section that lets the tests publish to this machine.
pub const CONFIG: &str = "[publish]\ntokens = [\"a-token-of-the-tests-0123456789\"]\n[net]\nallow = [\"127.0.0.1\"]\n";

#[derive(Clone, Copy, Debug)]
pub struct Publisher(pub SocketAddr);

impl Publisher {
    pub async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let exchange = async { Connection::open(self.0).await?.exchange(&request(method, path, headers, body)).await };
        soon("an answer", exchange).await.expect("an answer that can be read")
    }

    /// The JSON of an answer that is 2xx.
    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Value {
        let answer = self.call(method, path, headers, body).await;
        let text = String::from_utf8_lossy(&answer.body);
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {text}", answer.status);
        if answer.body.is_empty() { Value::Null } else { serde_json::from_slice(&answer.body).expect("JSON") }
    }

    pub async fn get(&self, path: &str) -> Value {
        self.ask("GET", path, &[], b"").await
    }

    /// Publishes to a URL, and answers the message's id.
    pub async fn publish(&self, url: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        id(&self.ask("POST", &format!("/v2/publish/{url}"), headers, body).await)
    }
}

/// The id in what a publish is answered.
pub fn id(answer: &Value) -> String {
    answer["messageId"].as_str().unwrap_or_else(|| panic!("no messageId in {answer}")).to_owned()
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let token = ("authorization".to_owned(), format!("Bearer {TOKEN}"));
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    client::request(method, "hooks.example.test", path, &[token].into_iter().chain(headers).collect::<Vec<_>>(), body)
}
