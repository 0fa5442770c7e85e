//! The development server as a child process, and what it prints for those who publish.

use std::{path::Path, process::Stdio};

use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
};

use super::soon;

/// In its environment, and not for it: it has a public one.
pub const TOKEN: &str = "a-token-of-the-teams-own";

/// Lines for a .env file, in what was printed.
pub fn lines(printed: &str) -> Vec<String> {
    printed.lines().filter(|line| line.starts_with("QSTASH_")).map(str::to_owned).collect()
}

pub fn value<'a>(lines: &'a [String], name: &str) -> &'a str {
    let line = lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"'));
    line.unwrap_or_else(|| panic!("no {name} in {lines:?}"))
}

/// A development server of the test's own; it ends with the test.
pub struct Dev {
    child: Child,
    /// What it said at its start.
    pub printed: String,
}

/// `serve --dev` on free ports, in an environment of its own.
pub fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookhaven"));
    command.args(["serve", "--dev"]).args(arguments).current_dir(directory).kill_on_drop(true);
    command.env_clear().env("QSTASH_DEV_PORT", "0").env("HOOKHAVEN_TOKEN", TOKEN);
    command
}

impl Dev {
    pub async fn start(directory: &Path) -> Self {
        let mut command = command(directory, &["--until-stdin-ends"]);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
        let mut dev = Dev { child: child.expect("the binary runs"), printed: String::new() };
        let mut out = dev.child.stdout.take().expect("a pipe");
        soon("its keys", async {
            while !dev.printed.contains("QSTASH_NEXT_SIGNING_KEY") {
                let mut bytes = [0; 4_096];
                let read = out.read(&mut bytes).await.expect("its output");
                assert_ne!(read, 0, "it ended: {}", dev.printed);
                dev.printed.push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        })
        .await;
        dev
    }
}
