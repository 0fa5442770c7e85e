//! The way of a new user: from an empty directory, by what each command says next, to an event of each
//! sender in the handler.

use std::{
    fs::{self, File},
    net::TcpListener,
    process::{Output, Stdio},
    sync::atomic::{AtomicU16, Ordering},
};

use hookhaven_load::gateway::poll;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::support::{
    PATIENCE,
    handler::Handler,
    output::{failed, items, well},
    soon,
};

/// Sources that `init` writes, each with a type to try, and the type that it becomes.
const TRIED: [(&str, &str, &str); 6] = [
    ("stripe", "invoice.paid", "invoice.paid"),
    ("github", "issues", "issues.opened"),
    ("slack", "app_mention", "app_mention"),
    ("twilio", "message.delivered", "message.delivered"),
    ("standard-webhooks", "user.created", "user.created"),
    ("hmac", "any.thing", "unknown"),
];

/// A directory and a shell in it, as a person would have them.
pub struct Shell {
    pub directory: TempDir,
    pub variables: Vec<(String, String)>,
}

impl Shell {
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookhaven"));
        command.args(arguments).current_dir(self.directory.path()).stdin(Stdio::null()).kill_on_drop(true);
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Output {
        soon("the command's end", self.command(arguments).output()).await.expect("the binary runs")
    }

    /// Its output, if it ends well.
    pub async fn says(&self, arguments: &[&str]) -> String {
        well(arguments, self.run(arguments).await)
    }

    pub async fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.says(arguments).await).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    /// The gateway, once it listens.
    pub async fn serve(&self, arguments: &[&str]) -> Child {
        let path = self.directory.path().join("serve.log");
        let log = File::create(&path).expect("a log file");
        let child = self
            .command(&[&["serve"], arguments].concat())
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log)
            .spawn();
        let read = || fs::read_to_string(&path).unwrap_or_default();
        let listening = poll(PATIENCE, async || read().contains("\"listening\"").then_some(()));
        assert!(listening.await.is_some(), "{}", read());
        child.expect("the binary runs")
    }
}

/// A port that nobody is given by chance: below those that the system hands out.
pub fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap_or_default();
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed));
    ports.by_ref().take(1_000).find(free).expect("a free port")
}

#[tokio::test]
async fn from_an_empty_directory_to_a_delivered_event_of_each_sender() {
    let handler = Handler::answering(200).await;
    let mut shell = Shell { directory: TempDir::new().expect("a directory"), variables: Vec::new() };
    let names = TRIED.map(|(source, _, _)| source);
    let said = shell.says(&["init", "--sender", &names.join(",")]).await;
    // It says which variables to set; `check` names each that is not.
    let wanted = failed_check(&shell).await;
    for name in names {
        let variable = format!("{}_WEBHOOK_SECRET", name.to_ascii_uppercase().replace('-', "_"));
        assert!(said.contains(&format!("export {variable}=")) && wanted.contains(&variable), "{said}\n{wanted}");
        shell.variables.push((variable, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()));
    }
    let file = shell.directory.path().join("hookhaven.toml");
    let text = fs::read_to_string(&file).expect("init wrote it");
    let text = text.replace("127.0.0.1:8080", &format!("127.0.0.1:{}", port()));
    let text = text.replace("127.0.0.1:8081", &format!("127.0.0.1:{}", port()));
    fs::write(&file, text.replace("http://127.0.0.1:3000/webhooks", &handler.url())).expect("it can be edited");
    assert!(shell.says(&["check"]).await.ends_with("hookhaven.toml: fine (6 sources, 1 destination, 6 routes)\n"));
    assert_eq!(shell.json(&["check", "--json"]).await["ok"], true);

    let too_early = failed(&shell.run(&["events", "list"]).await, 1);
    assert!(too_early.contains("hookhaven serve"), "{too_early}");
    let too_early = failed(&shell.run(&["trigger", "stripe", "invoice.paid"]).await, 1);
    assert!(too_early.contains("hookhaven serve"), "{too_early}");

    let _gateway = shell.serve(&[]).await;
    for (number, (source, asked, stored)) in TRIED.iter().enumerate() {
        let said = shell.says(&["trigger", source, asked]).await;
        assert!(said.starts_with("200  "), "{source}: {said}");
        let attempt = handler.nth(number + 1).await;
        assert_eq!((attempt.header("hookhaven-source"), attempt.header("hookhaven-event-type")), (*source, *stored));
        // What it printed is what its sender would know the event by.
        let sent_id = said.split_whitespace().nth(1).expect("an id");
        let ours = attempt.header("hookhaven-event-id");
        let story = shell.says(&["why", ours]).await;
        // `hmac` is not told where its ids are.
        if *source != "hmac" {
            assert_eq!(shell.says(&["why", "--json", sent_id]).await, shell.says(&["why", "--json", ours]).await);
            assert!(story.contains(sent_id), "{said}\n{story}");
        }
    }
    let triggered = shell.run(&["trigger", "nobody", "x"]).await;
    assert!(failed(&triggered, 2).contains("there are: github, hmac, slack"));

    let listed = shell.says(&["events", "list"]).await;
    assert!(TRIED.iter().all(|(source, _, stored)| listed.contains(source) && listed.contains(stored)), "{listed}");
    // With a body of its own, and twice.
    fs::write(shell.directory.path().join("mine.json"), r#"{"id":"evt_mine","type":"mine"}"#).expect("a file");
    shell.says(&["trigger", "stripe", "mine", "--body", "mine.json", "--count", "2"]).await;
    assert_eq!(&handler.nth(7).await.body[..], br#"{"id":"evt_mine","type":"mine"}"#);
    assert_eq!(items(&shell.json(&["events", "list", "--key", "evt_mine", "--json"]).await).len(), 1);
}

async fn failed_check(shell: &Shell) -> String {
    let output = shell.run(&["check"]).await;
    failed(&output, 2);
    String::from_utf8(output.stdout).expect("UTF-8")
}
