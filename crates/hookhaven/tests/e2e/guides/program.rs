//! One program that a guide has its reader start, with all that it prints. It is the head of a process group, and that
//! group goes with it.

use std::{
    io::{self, Read as _},
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::super::support::PATIENCE;

pub struct Program {
    child: Child,
    printed: Arc<Printed>,
    /// How far what is expected of it was found, in lines.
    pub seen: usize,
}

#[derive(Default)]
struct Printed {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    /// Nobody is left who could print.
    ended: bool,
}

impl Program {
    pub fn start(mut command: Command) -> io::Result<Self> {
        let (mut from, to) = io::pipe()?;
        command.stdin(Stdio::null()).stdout(to.try_clone()?).stderr(to).process_group(0);
        let child = command.spawn()?;
        // It holds the ends that are written to, and the end of the output is seen when nobody does.
        drop(command);
        let printed = Arc::new(Printed::default());
        let gathered = printed.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                gathered.tell(|state| state.bytes.extend_from_slice(&buffer[..length]));
            }
            gathered.tell(|state| state.ended = true);
        });
        Ok(Program { child, printed, seen: 0 })
    }

    /// All that it has printed so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&self.printed.lock().bytes).into_owned()
    }

    /// Waits until what it has printed is so. `None` if it does not come, or cannot come any more.
    pub fn until<T>(&self, holds: impl Fn(&str) -> Option<T>) -> Option<T> {
        let mut found = None;
        let state = self.printed.lock();
        let waited = self.printed.more.wait_timeout_while(state, PATIENCE, |state| {
            found = holds(&String::from_utf8_lossy(&state.bytes));
            found.is_none() && !state.ended
        });
        drop(waited);
        found
    }

    /// Waits for its end; `None` if it goes on.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let state = self.printed.lock();
        let waited = self.printed.more.wait_timeout_while(state, PATIENCE, |state| !state.ended);
        let ended = waited.unwrap_or_else(PoisonError::into_inner).0.ended;
        // It printed the last of it, so its end is near.
        ended.then(|| self.child.wait().ok()).flatten()
    }

    /// Nobody is left who could print: it ended by itself.
    pub fn is_over(&self) -> bool {
        self.printed.lock().ended
    }

    /// Ctrl-C, and how it ended.
    pub fn interrupt(&mut self) -> Option<ExitStatus> {
        self.signal("INT");
        self.ended()
    }

    fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-s", name, "--", &group]).stderr(Stdio::null()).status();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Where nobody prints any more, the group is gone, and its number may be another's.
        if self.printed.lock().ended {
            let _ = self.child.kill();
        } else {
            self.signal("KILL");
        }
        let _ = self.child.wait();
    }
}

impl Printed {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.more.notify_all();
    }
}
