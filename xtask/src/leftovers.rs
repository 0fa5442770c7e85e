//! Finds what the tests left running. Every process they start inherits a mark in its environment, so a
//! process that outlived its parent is still known as theirs, and nobody else's is ever touched.
//!
//! Works where `/proc` is; elsewhere it finds nothing.

use std::{
    fs,
    process::{Command, Stdio, id},
};

const NAME: &str = "HOOKHAVEN_XTASK_RUN";

pub struct Leftovers {
    value: String,
}

impl Leftovers {
    /// A mark that no run alive carries: our process id.
    pub fn new() -> Self {
        Leftovers { value: id().to_string() }
    }

    /// Marks a command and all that it will start.
    pub fn mark(&self, command: &mut Command) {
        command.env(NAME, &self.value);
    }

    /// Ends the marked processes that are still there, each by its id, and tells what they were.
    pub fn end(&self) -> Vec<String> {
        let left = self.find();
        for (pid, _) in &left {
            // It may have ended by itself in the meantime; that is as good.
            let _ = Command::new("kill").args(["-KILL", pid]).stderr(Stdio::null()).status();
        }
        left.into_iter().map(|(pid, what)| format!("{pid} {what}")).collect()
    }

    fn find(&self) -> Vec<(String, String)> {
        let mark = format!("{NAME}={}", self.value);
        let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
        let pids = processes.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let numbers = pids.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        numbers.filter(|pid| carries(pid, &mark)).map(|pid| (pid.clone(), command_line(&pid))).collect()
    }
}

fn carries(pid: &str, mark: &str) -> bool {
    // Unreadable: not ours, or ended while we looked. A zombie's is empty.
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
}

fn command_line(pid: &str) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn a_process_that_was_left_is_found_and_ended() {
        let leftovers = Leftovers { value: format!("test-{}", id()) };
        let mut command = Command::new("cat");
        leftovers.mark(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let mut child = command.spawn().unwrap();
        // Its environment stands there a moment after it was spawned; once it has answered, surely.
        child.stdin.as_mut().unwrap().write_all(b"?").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let left = leftovers.end();
        let status = child.wait().unwrap();
        assert_eq!(left, [format!("{} cat", child.id())]);
        assert!(!status.success(), "it was ended, it did not end: {status}");
        assert!(leftovers.find().is_empty());
    }
}
