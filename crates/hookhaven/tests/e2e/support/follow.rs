//! Following what goes on: the admin API's stream as bytes on a socket, and a command that runs until it is told to
//! end.

use std::{
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use hookhaven_load::gateway::{Admin, poll};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, Command},
};

use super::{PATIENCE, soon};

/// One connection to `/api/v1/stream`.
pub struct Reader {
    lines: Lines<BufReader<TcpStream>>,
    /// What goes on behind the last message.
    pub cursor: String,
}

impl Reader {
    /// In HTTP/1.0, so that the answer comes in no chunks and ends with its connection.
    pub async fn open(admin: &Admin, query: &str, cursor: &str) -> Self {
        let mut socket = TcpStream::connect(admin.address).await.expect("the admin side listens");
        let request = format!(
            "GET /api/v1/stream{query} HTTP/1.0\r\nhost: {}\r\nauthorization: Bearer {}\r\nlast-event-id: {cursor}\r\n\r\n",
            admin.address, admin.token
        );
        socket.write_all(request.as_bytes()).await.expect("a request can be written");
        let mut reader = Reader { lines: BufReader::new(socket).lines(), cursor: cursor.to_owned() };
        let status = reader.line().await.expect("a status");
        assert!(status.contains(" 200 "), "{status}");
        while reader.line().await.is_some_and(|line| !line.is_empty()) {}
        reader
    }

    async fn line(&mut self) -> Option<String> {
        soon("a line of the stream", self.lines.next_line()).await.ok().flatten()
    }

    /// The next message: its kind and what it says. `None` when the connection ends.
    pub async fn message(&mut self) -> Option<(String, Value)> {
        let (mut kind, mut data) = (String::new(), None);
        loop {
            let line = self.line().await?;
            match line.split_once(": ") {
                Some(("id", cursor)) => self.cursor = cursor.to_owned(),
                Some(("event", name)) => kind = name.to_owned(),
                Some(("data", text)) => data = Some(serde_json::from_str(text).expect("a message is JSON")),
                _ if line.is_empty() => {
                    if let Some(data) = data.take() {
                        return Some((kind, data));
                    }
                }
                _ => {}
            }
        }
    }
}

/// A command of ours that goes on until it is told to end.
pub struct Running {
    child: Child,
    out: Text,
    err: Text,
}

type Text = Arc<Mutex<String>>;

impl Running {
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let (out, err) = (gather(child.stdout.take().expect("a pipe")), gather(child.stderr.take().expect("a pipe")));
        Running { child, out, err }
    }

    pub fn lines(&self) -> Vec<String> {
        text(&self.out).lines().map(str::to_owned).collect()
    }

    pub fn remarks(&self) -> String {
        text(&self.err)
    }

    /// Waits until its output is so.
    pub async fn until(&self, what: &str, holds: impl Fn(&[String]) -> bool) -> Vec<String> {
        let found = poll(PATIENCE, async || Some(self.lines()).filter(|lines| holds(lines))).await;
        found.unwrap_or_else(|| panic!("waited in vain for {what}\n{}\n{}", text(&self.out), self.remarks()))
    }

    pub async fn until_remarked(&self, remark: &str) {
        let found = poll(PATIENCE, async || self.remarks().contains(remark).then_some(())).await;
        assert!(found.is_some(), "waited in vain for {remark:?}\n{}\n{}", text(&self.out), self.remarks());
    }

    /// `STOP` suspends it, `CONT` lets it go on.
    pub async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().await.expect("kill is there");
        assert!(sent.success());
    }

    /// `kill -9`; all that it had printed.
    pub async fn kill(mut self) -> Vec<String> {
        self.child.kill().await.expect("a child of ours can be killed");
        self.lines()
    }

    /// Ctrl-C, and how it ended.
    pub async fn interrupt(mut self) -> ExitStatus {
        self.signal("INT").await;
        soon("the command's end", self.child.wait()).await.expect("a child of ours can be waited for")
    }
}

fn text(text: &Text) -> String {
    text.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn gather(from: impl AsyncRead + Send + Unpin + 'static) -> Text {
    let text = Text::default();
    let gathered = text.clone();
    tokio::spawn(async move {
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut text = gathered.lock().unwrap_or_else(PoisonError::into_inner);
            text.push_str(&line);
            text.push('\n');
        }
    });
    text
}
