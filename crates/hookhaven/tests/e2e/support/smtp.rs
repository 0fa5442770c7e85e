//! A mail server in the test process: takes mails by SMTP without TLS, and remembers them.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A mail as it was handed over.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// Headers and body.
    pub text: String,
}

impl Mail {
    /// Long ones come in several lines.
    pub fn subject(&self) -> String {
        let unfolded = self.text.replace("\r\n ", " ");
        unfolded.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default().to_owned()
    }
}

#[derive(Debug)]
pub struct MailServer {
    pub address: SocketAddr,
    mails: Arc<Mutex<Vec<Mail>>>,
    refusing: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl MailServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let (mails, refusing) = (Arc::<Mutex<Vec<Mail>>>::default(), Arc::<AtomicUsize>::default());
        let (taken, left) = (mails.clone(), refusing.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that breaks off has not handed anything over.
                tokio::spawn(converse(stream, taken.clone(), left.clone()));
            }
        });
        MailServer { address, mails, refusing, task }
    }

    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// The next so many mails are put off with 451.
    pub fn refuse(&self, count: usize) {
        self.refusing.store(count, Ordering::SeqCst);
    }

    /// Everything so far, in the order of arrival.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(stream: TcpStream, mails: Arc<Mutex<Vec<Mail>>>, refusing: Arc<AtomicUsize>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.test ESMTP\r\n").await?;
    let mut mail = Mail::default();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let address =
            || line.split_once(['<']).and_then(|(_, rest)| rest.split_once('>')).map(|(address, _)| address.to_owned());
        let answer = match verb.as_str() {
            "EHLO" => "250-mail.test\r\n250 8BITMIME",
            "MAIL" => {
                mail = Mail { from: address().unwrap_or_default(), ..Mail::default() };
                "250 ok"
            }
            "RCPT" => {
                mail.to.extend(address());
                "250 ok"
            }
            "DATA" if refusing.load(Ordering::SeqCst) > 0 => {
                refusing.fetch_sub(1, Ordering::SeqCst);
                "451 come again later"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                mail.text = body(&mut stream).await?;
                mails.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut mail));
                "250 taken"
            }
            "QUIT" => {
                return stream.write_all(b"221 bye\r\n").await;
            }
            "HELO" | "RSET" | "NOOP" => "250 ok",
            _ => "502 unknown",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

async fn body(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line == ".\r\n" {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}
