//! The scripts in `tests-clients/`: other people's clients, installed there from lockfiles by `cargo xtask test`.

use std::{path::PathBuf, process::Stdio};

use tokio::process::Command;

/// One of them, to be run by this program (`node`, or the Python of the environment there).
pub fn script(program: &str, script: &str) -> Command {
    let clients = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests-clients");
    let mut command = Command::new(program);
    command.arg(script).current_dir(clients).env_clear().kill_on_drop(true);
    for kept in ["PATH", "HOME", "HOOKHAVEN_XTASK_RUN"] {
        if let Some(there) = std::env::var_os(kept) {
            command.env(kept, there);
        }
    }
    // Nothing may be left in the source tree.
    command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    command
}
