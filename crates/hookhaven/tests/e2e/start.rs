//! What keeps it from starting: each mistake gives one message that says where and what, with exit code
//! 2; and `check` says the same without starting anything.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{gateway::Gateway, soon};

const SOUND: &str = r#"[server]
ingest = "127.0.0.1:0"
admin = "127.0.0.1:0"
[store]
url = "file:data"
[sources.shop]
sender = "stripe"
secrets = ["whsec_x"]
[destinations.app]
url = "http://127.0.0.1:9/"
[[routes]]
source = "shop"
to = ["app"]
"#;

struct Mistake {
    /// What stands in the sound config, and what in its place.
    edit: (&'static str, &'static str),
    /// How the message begins, after the file's directory; and what it says.
    says: (&'static str, &'static str),
}

const MISTAKES: [Mistake; 14] = [
    Mistake {
        edit: ("[server]", "[servr]"),
        says: ("hookhaven.toml:1:2: servr: ", "unknown key; did you mean \"server\"?"),
    },
    Mistake {
        edit: ("secrets =", "secret ="),
        says: ("hookhaven.toml:8:1: sources.shop.secret: ", "did you mean \"secrets\"?"),
    },
    Mistake {
        edit: ("secrets = [\"whsec_x\"]", ""),
        says: ("hookhaven.toml:6:10: sources.shop: ", "secrets is missing"),
    },
    Mistake {
        edit: ("whsec_x", "env:HOOKHAVEN_NO_SUCH_SECRET"),
        says: ("hookhaven.toml:8:12: sources.shop.secrets[0]: ", "HOOKHAVEN_NO_SUCH_SECRET is not set"),
    },
    Mistake { edit: ("whsec_x", "  "), says: ("hookhaven.toml:8:12: sources.shop.secrets[0]: ", "blank") },
    Mistake {
        edit: ("whsec_x", "file:no-such-file"),
        says: ("hookhaven.toml:8:12: sources.shop.secrets[0]: ", "cannot read the secret file"),
    },
    Mistake { edit: ("file:data", "file:plain-file"), says: ("hookhaven.toml:5:7: store.url: ", "plain-file") },
    Mistake {
        edit: ("file:data", "file:plain-file/below/it"),
        says: ("hookhaven.toml:5:7: store.url: ", "plain-file/below/it"),
    },
    Mistake { edit: ("file:data", "file:newer"), says: ("hookhaven.toml:5:7: store.url: ", "needs Hookhaven 99.1.0") },
    Mistake {
        edit: ("ingest = \"127.0.0.1:0\"", "ingest = \"TAKEN\""),
        says: ("hookhaven.toml:2:10: server.ingest: ", "is taken by another program"),
    },
    Mistake {
        edit: ("admin = \"127.0.0.1:0\"", "admin = \"TAKEN\""),
        says: ("hookhaven.toml:3:9: server.admin: ", "is taken by another program"),
    },
    Mistake {
        edit: ("source = \"shop\"", "source = \"shop\"\nevents = [\"invoice.[ab]\"]"),
        says: ("hookhaven.toml:13:11: routes[0].events[0]: ", "bad pattern \"invoice.[ab]\""),
    },
    Mistake {
        edit: ("[[routes]]", "[sources.shop]\n[[routes]]"),
        says: ("hookhaven.toml:11:10: ", "\"shop\" is there twice"),
    },
    Mistake { edit: ("[[routes]]", "[[routes]"), says: ("hookhaven.toml:11:10: ", "not TOML") },
];

/// A directory with a config and all that the mistakes need.
struct Scene {
    directory: TempDir,
    taken: TcpListener,
}

impl Scene {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        let newer = directory.path().join("newer");
        let made = fs::write(directory.path().join("plain-file"), "").and_then(|()| fs::create_dir(&newer));
        let made = made.and_then(|()| fs::write(newer.join("format"), "hookhaven-data 9 needs 99.1.0\n"));
        made.expect("files in a directory of our own");
        Scene { directory, taken: TcpListener::bind("127.0.0.1:0").expect("a free port") }
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("hookhaven.toml")
    }

    fn make(&self, mistake: &Mistake) {
        let (sound, wrong) = mistake.edit;
        assert!(SOUND.contains(sound), "{sound}");
        let taken = self.taken.local_addr().expect("a bound address");
        let text = SOUND.replacen(sound, wrong, 1).replace("TAKEN", &taken.to_string());
        fs::write(self.config(), text).expect("a file of our own");
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).expect("a directory of our own").flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

async fn run(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookhaven"));
    command.args(arguments).current_dir(directory).stdin(Stdio::null()).kill_on_drop(true);
    soon("its end", command.output()).await.expect("the binary runs")
}

#[tokio::test]
async fn each_mistake_has_one_message_and_exit_code_2() {
    let scene = Scene::new();
    let directory = scene.directory.path();
    for mistake in &MISTAKES {
        scene.make(mistake);
        let (begins, says) = mistake.says;
        let ours = |line: &str| {
            let line = line.strip_prefix(&format!("{}/", directory.display())).unwrap_or(line);
            line.starts_with(begins) && line.contains(says)
        };
        let config = scene.config().display().to_string();

        let check = run(directory, &["check", "--offline", "--config", &config]).await;
        let said = String::from_utf8_lossy(&check.stdout).into_owned();
        assert_eq!(check.status.code(), Some(2), "{begins}{says}: check says\n{said}");
        assert!(said.lines().next().is_some_and(ours), "{begins}{says}: check says\n{said}");
        assert_eq!(said.lines().count(), 2, "{begins}{says}: one problem and the verdict, not\n{said}");
        assert_eq!(scene.files(), ["hookhaven.toml", "newer", "plain-file"], "check leaves nothing behind");

        let serve = run(directory, &["serve", "--config", &config]).await;
        let said = String::from_utf8_lossy(&serve.stderr).into_owned();
        assert_eq!(serve.status.code(), Some(2), "{begins}{says}: serve says\n{said}");
        assert!(said.lines().count() == 1 && ours(said.trim_end()), "{begins}{says}: serve says\n{said}");
        assert_eq!(String::from_utf8_lossy(&serve.stdout), "");
        // A taken port is found before the store is touched.
        assert!(!directory.join("data").exists(), "{begins}{says}: serve made the data directory");
    }
}

#[tokio::test]
async fn every_mistake_is_told_at_once() {
    let scene = Scene::new();
    let wrong = SOUND.replace("sender", "sendr").replace("[\"app\"]", "[\"apq\"]").replace("http:", "gopher:");
    fs::write(scene.config(), wrong).unwrap();
    let serve = run(scene.directory.path(), &["serve"]).await;
    let said = String::from_utf8_lossy(&serve.stderr).into_owned();
    assert_eq!(serve.status.code(), Some(2));
    for line in ["hookhaven.toml:7:", "hookhaven.toml:10:", "hookhaven.toml:13:"] {
        assert!(said.contains(line), "no {line} in\n{said}");
    }
}

#[tokio::test]
async fn a_second_process_is_told_who_has_the_data_directory() {
    let gateway = Gateway::start("").await;
    let second = gateway.cli(&["serve"]).await;
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(2), "{:?} {said}", second.status);
    let data = gateway.data().display().to_string();
    assert!(said.starts_with("--data: another hookhaven process holds ") && said.contains(&data), "{said}");
    // The first one does not notice.
    gateway.get("/api/v1/status").await;
    let check = gateway.cli(&["check", "--offline"]).await;
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.success() && said.contains("a hookhaven is running with this data directory"), "{said}");
}

#[tokio::test]
async fn an_unverified_source_is_warned_about() {
    let config = "[sources.open]\nsender = \"unverified\"\nallow = [\"127.0.0.1/32\"]\n";
    let gateway = Gateway::start(config).await;
    let warned = |text: &str| text.lines().any(|line| line.contains("sources.open.sender: nothing that comes in"));
    let log = gateway.log();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains(r#""level":"warn""#)).collect();
    assert!(warned(&warnings.join("\n")), "{log}");
    let check = gateway.cli(&["check", "--offline"]).await;
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.success() && warned(&said), "{said}");
}
