//! A gateway of the test's own: the real binary, a config and data directory that go with the test, on
//! ports that the system chose. It can be killed, stopped, reloaded and started again on the same data.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
};

use hookhaven_load::{
    client::{Answer, Connection, post},
    gateway::{Admin, Home, Running, poll},
    written,
};
use serde_json::Value;
use tempfile::TempDir;

use super::{PATIENCE, soon};

/// The admin token of nodes, which they share.
pub const TOKEN: &str = "the-token-of-all-nodes-0123456789";

/// What senders that sign the URL believe to post to.
pub const PUBLIC_URL: &str = "https://hooks.example.test";

pub struct Gateway {
    home: Home,
    running: Option<Running>,
    _directory: TempDir,
}

impl Gateway {
    /// A gateway that is not started yet. `config` is what stands after `[server]` and `[store]`.
    pub fn prepare(config: &str) -> Self {
        let directory = TempDir::new().expect("a directory for the test");
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_hookhaven"));
        let home = Home::new(binary, directory.path().to_owned());
        let gateway = Gateway { home, running: None, _directory: directory };
        gateway.configure(config);
        gateway
    }

    /// A node that is not started yet, with this role, on a database that it shares with others.
    pub fn node(database: &str, role: &str, config: &str) -> Self {
        let mut gateway = Self::prepare("");
        gateway.home.shared = true;
        std::fs::write(gateway.home.token(), TOKEN).expect("the token can be written");
        gateway.configure_node(database, role, config);
        gateway
    }

    /// As [`Self::configure`], for a node. `config` follows what stands under `[store]`.
    pub fn configure_node(&self, database: &str, role: &str, config: &str) {
        self.write_file(&format!(
            "[server]\nrole = \"{role}\"\ningest = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
             admin_token = \"file:admin-token\"\n\n[store]\nurl = \"{database}\"\n{config}"
        ));
    }

    pub async fn start(config: &str) -> Self {
        let mut gateway = Self::prepare(config);
        gateway.serve().await;
        gateway
    }

    /// A gateway on the file that the architect wrote, as it stands but for its ports. All that it asks the environment
    /// for has to be given.
    pub async fn start_written(text: &str, environment: Vec<(String, String)>) -> Self {
        let given: Vec<&str> = environment.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(written::variables(text), given, "what the file asks for");
        let mut gateway = Self::prepare("");
        gateway.write_file(&written::on_free_ports(text).unwrap_or_else(|error| panic!("{error:#}")));
        gateway.home.environment = environment;
        gateway.serve().await;
        gateway
    }

    /// Replaces the config file by the fixed part and this; does not tell a running gateway.
    pub fn configure(&self, config: &str) {
        let data = self.data().display().to_string();
        self.write_file(&format!(
            "[server]\ningest = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\npublic_url = \"{PUBLIC_URL}\"\n\n\
             [store]\nurl = \"file:{data}\"\n\n{config}"
        ));
    }

    /// Replaces the config file by exactly this.
    pub fn write_file(&self, text: &str) {
        self.home.write_config(text).expect("the config file can be written");
    }

    /// Starts it and waits until it listens.
    pub async fn serve(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        self.running = Some(self.home.serve().await.unwrap_or_else(|error| panic!("{error:#}")));
    }

    /// The same with a seal broken that `copy` set.
    pub async fn unseal(&mut self) {
        let started = self.home.start_with(&["--unseal"]).unwrap_or_else(|error| panic!("{error:#}"));
        self.running = Some(started.listening().await.unwrap_or_else(|error| panic!("{error:#}")));
    }

    /// `kill -9`.
    pub async fn kill(&mut self) {
        self.take().kill().await.expect("a process of ours can be killed");
    }

    /// SIGTERM, and how it ended.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.take().terminate().await.unwrap_or_else(|error| panic!("{error:#}\n{}", self.log()))
    }

    /// `kill -9`, then a start on the same data.
    pub async fn restart(&mut self) {
        self.kill().await;
        self.serve().await;
    }

    /// SIGHUP. That it was followed shows in the API or the log, a little later.
    pub async fn reload(&self) {
        self.running().reload().await.expect("a process of ours takes a signal");
    }

    /// `STOP` suspends it, `CONT` lets it go on.
    pub async fn signal(&self, name: &str) {
        self.running().signal(name).await.expect("a process of ours takes a signal");
    }

    pub fn ingest(&self) -> SocketAddr {
        self.running().ingest
    }

    pub fn admin(&self) -> &Admin {
        &self.running().admin
    }

    pub fn pid(&self) -> u32 {
        self.running().pid().expect("it runs")
    }

    pub fn directory(&self) -> &Path {
        &self.home.directory
    }

    pub fn data(&self) -> PathBuf {
        self.home.data()
    }

    pub fn config(&self) -> PathBuf {
        self.home.config()
    }

    /// All that it has printed beside its log, over all its starts.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.home.printed()).unwrap_or_default()).into_owned()
    }

    /// All that it has logged, over all its starts.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.home.log()).unwrap_or_default()).into_owned()
    }

    /// Waits until the log, which is written behind, holds this.
    pub async fn until_logged(&self, text: &str) {
        let found = poll(PATIENCE, async || self.log().contains(text).then_some(()));
        assert!(found.await.is_some(), "waited in vain for {text:?} in the log\n{}", self.log());
    }

    /// Posts to a source, on a connection of its own.
    pub async fn post(&self, path: &str, headers: &[(String, String)], body: &[u8]) -> Answer {
        self.exchange(&post("hooks.example.test", path, headers, body)).await
    }

    /// Sends these bytes to the ingest address and reads one answer.
    pub async fn exchange(&self, request: &[u8]) -> Answer {
        let exchange = async { Connection::open(self.ingest()).await?.exchange(request).await };
        soon("an answer", exchange).await.unwrap_or_else(|error| panic!("no answer: {error}\n{}", self.log()))
    }

    /// What the admin API answers to a GET.
    pub async fn get(&self, path: &str) -> Value {
        self.admin().get(path).await.unwrap_or_else(|error| panic!("{error:#}\n{}", self.log()))
    }

    /// The items of a list of the admin API, newest first.
    pub async fn items(&self, path: &str) -> Vec<Value> {
        match self.get(path).await.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => panic!("{path} answers no list"),
        }
    }

    /// Asks the admin API again and again until `holds`; the answer it held for.
    pub async fn until(&self, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = poll(PATIENCE, async || {
            last = self.get(path).await;
            holds(&last).then_some(())
        });
        match found.await {
            Some(()) => last,
            None => panic!("waited in vain on {path}, which says\n{last:#}\n{}", self.log()),
        }
    }

    /// The idempotency keys of all events.
    pub async fn keys(&self) -> Vec<String> {
        let (mut keys, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("/api/v1/events?limit=500{after}")).await;
            let items = page["items"].as_array().expect("a list");
            keys.extend(items.iter().filter_map(|event| event["idempotency_key"].as_str().map(str::to_owned)));
            match &page["next"] {
                Value::String(next) => after = format!("&after={next}"),
                _ => return keys,
            }
        }
    }

    /// Waits until every delivery has ended.
    pub async fn until_drained(&self) {
        self.until("/api/v1/status", |status| status.pointer("/store/pending") == Some(&Value::from(0))).await;
    }

    /// A command of the same binary on this gateway's config and data.
    pub fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        self.home.command(arguments)
    }

    /// Runs a command of the same binary on this gateway's config and data, to its end.
    pub async fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = self.home.command(arguments);
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output();
        soon("the command's end", output).await.expect("the binary runs")
    }

    /// The same against the running gateway, whose ports the config file does not tell.
    pub async fn ask(&self, arguments: &[&str]) -> Output {
        let url = format!("http://{}", self.admin().address);
        self.cli(&[arguments, &["--url", &url]].concat()).await
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the gateway runs")
    }

    /// Whatever it was sent and did: no secret of its config stands in its log.
    fn check_log(&self) {
        let mut secrets = super::leaks::secrets_of(&self.config());
        secrets.add(self.running.iter().map(|running| running.admin.token.clone()));
        secrets.add(self.home.environment.iter().map(|(_, secret)| secret.clone()));
        secrets.silent("the log", self.log());
    }

    fn take(&mut self) -> Running {
        self.running.take().expect("the gateway runs")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check_log();
        }
    }
}
