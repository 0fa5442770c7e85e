//! The thread that writes log lines, and the bounded buffer before it.
//!
//! Those who log only copy their line into the buffer. The thread takes all of it at once, and waits a
//! moment before it does: so many lines cost one wake-up and one write.

use std::{
    io::Write,
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

/// Beyond this, lines are dropped.
const BUFFER_BYTES_MAX: usize = 4 << 20;
/// From here on the thread is woken at once.
const BUFFER_BYTES_MANY: usize = 64 << 10;
/// How long the thread lets lines gather.
const GATHER: Duration = Duration::from_millis(5);

#[derive(Default)]
struct Shared {
    buffer: Mutex<Buffer>,
    changed: Condvar,
    dropped: Arc<AtomicU64>,
}

#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The near end: takes lines, never waits for the disk or the terminal.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

impl Lines {
    pub fn push(&self, line: &[u8]) {
        let wake = {
            let mut buffer = self.0.lock();
            let (before, after) = (buffer.bytes.len(), buffer.bytes.len() + line.len());
            if after > BUFFER_BYTES_MAX {
                self.0.dropped.fetch_add(1, Relaxed);
                return;
            }
            buffer.bytes.extend_from_slice(line);
            before == 0 || (before < BUFFER_BYTES_MANY && after >= BUFFER_BYTES_MANY)
        };
        if wake {
            self.0.changed.notify_one();
        }
    }
}

/// The far end. Dropped, it writes what is left and joins its thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Without a thread to be had, lines are dropped and counted like any that are not taken.
    pub fn start(to: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&theirs, to)).ok();
        Writer { shared, thread }
    }

    pub fn lines(&self) -> Lines {
        Lines(self.shared.clone())
    }

    pub fn dropped(&self) -> Arc<AtomicU64> {
        self.shared.dropped.clone()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write_all(shared: &Shared, mut to: impl Write) {
    let mut taken = Vec::new();
    loop {
        {
            let buffer = shared.lock();
            let buffer = shared.changed.wait_while(buffer, |b| b.bytes.is_empty() && !b.closed);
            let buffer = buffer.unwrap_or_else(|poisoned| poisoned.into_inner());
            let few = |b: &mut Buffer| b.bytes.len() < BUFFER_BYTES_MANY && !b.closed;
            let waited = shared.changed.wait_timeout_while(buffer, GATHER, few);
            let (mut buffer, _) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
            if buffer.bytes.is_empty() {
                return;
            }
            std::mem::swap(&mut buffer.bytes, &mut taken);
        }
        // A standard error that nobody reads any more is no reason to stop serving.
        let _ = to.write_all(&taken);
        let _ = to.flush();
        taken.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::mpsc};

    use super::*;

    /// Blocks in its first write until it is told to go on, and says what it has got at the end.
    struct Stuck {
        entered: mpsc::Sender<()>,
        go_on: mpsc::Receiver<()>,
        got: mpsc::Sender<usize>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.entered.send(());
            let _ = self.go_on.recv();
            let _ = self.got.send(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_writer_costs_lines_and_not_those_who_log() {
        let (entered, inside) = mpsc::channel();
        let (go_on, gate) = mpsc::channel();
        let (got, sizes) = mpsc::channel();
        let writer = Writer::start(Stuck { entered, go_on: gate, got });
        let lines = writer.lines();
        lines.push(b"first\n");
        inside.recv().unwrap();
        let line = [b'x'; 1024];
        for _ in 0..(BUFFER_BYTES_MAX / line.len()) + 7 {
            lines.push(&line);
        }
        assert_eq!(writer.dropped().load(Relaxed), 7);
        drop(go_on);
        drop(writer);
        let total: usize = sizes.iter().sum();
        assert_eq!(total, 6 + BUFFER_BYTES_MAX, "what was taken is written before the end");
    }
}
