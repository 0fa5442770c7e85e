//! One keep-alive HTTP/1.1 connection, as plain as it can be: a client that costs so little that what it
//! measures is the server.
//!
//! It reads answers with a `content-length`, or chunked, or none; no compression, no pipelining.

use std::{io, net::SocketAddr};

use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Longest head and longest body it reads: more is not an answer to what it sends.
const HEAD_BYTES_MAX: usize = 64 << 10;
const BODY_BYTES_MAX: usize = 64 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// In the order received, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of that name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Received and not yet used.
    buffer: BytesMut,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: BytesMut::with_capacity(4 << 10) })
    }

    /// Sends the bytes of a whole request and reads the answer.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> io::Result<Answer> {
        loop {
            let end = self.read_until(b"\r\n\r\n", HEAD_BYTES_MAX).await?;
            let head = self.buffer.split_to(end);
            let (status, headers) = parse_head(&head).ok_or_else(|| malformed("the answer's head"))?;
            // 1xx comes before the answer itself.
            if !(100..200).contains(&status) {
                let body = self.body(status, &headers).await?;
                return Ok(Answer { status, headers, body });
            }
        }
    }

    async fn body(&mut self, status: u16, headers: &[(String, String)]) -> io::Result<Vec<u8>> {
        let value = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        if let Some(length) = value("content-length") {
            let length: usize = length.parse().map_err(|_| malformed("content-length"))?;
            return self.take(length).await;
        }
        match value("transfer-encoding") {
            Some("chunked") => self.chunks().await,
            Some(_) => Err(malformed("transfer-encoding")),
            None if status == 204 || status == 304 => Ok(Vec::new()),
            None => Err(malformed("an answer without a length")),
        }
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = self.read_until(b"\r\n", HEAD_BYTES_MAX).await?;
            let line = self.buffer.split_to(end);
            let size = std::str::from_utf8(&line).ok().map(|line| line.trim_end().split(';').next().unwrap_or(""));
            let size =
                size.and_then(|size| usize::from_str_radix(size, 16).ok()).ok_or_else(|| malformed("a chunk"))?;
            let chunk = self.take(size).await?;
            self.take(2).await?;
            if chunk.is_empty() {
                return Ok(body);
            }
            body.extend(chunk);
        }
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > BODY_BYTES_MAX {
            return Err(malformed("an answer so long"));
        }
        while self.buffer.len() < length {
            self.fill().await?;
        }
        let taken = self.buffer[..length].to_vec();
        self.buffer.advance(length);
        Ok(taken)
    }

    /// Reads until the bytes hold `mark`; answers where it ends.
    async fn read_until(&mut self, mark: &[u8], max: usize) -> io::Result<usize> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|window| window == mark) {
                return Ok(at + mark.len());
            }
            if self.buffer.len() > max {
                return Err(malformed("a head so long"));
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// `POST` with these headers and this body, as bytes to be sent.
pub fn post(host: &str, path: &str, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    request("POST", host, path, headers, body)
}

pub fn request(method: &str, host: &str, path: &str, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn parse_head(head: &[u8]) -> Option<(u16, Vec<(String, String)>)> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.trim_end().split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    Some((status, lines.map(header).collect::<Option<_>>()?))
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} cannot be read"))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn answers_of_each_form_follow_each_other_on_one_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut connection = Connection::open(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        server
            .write_all(
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-A: b \r\nContent-Length: 2\r\n\r\nok\
                  HTTP/1.1 503 Busy\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n\
                  HTTP/1.1 204 No Content\r\n\r\n",
            )
            .await
            .unwrap();
        let first = connection.exchange(&post("h", "/", &[], b"")).await.unwrap();
        assert_eq!((first.status, first.body.as_slice(), first.header("x-a")), (200, &b"ok"[..], Some("b")));
        let second = connection.exchange(b"").await.unwrap();
        assert_eq!((second.status, second.body.as_slice()), (503, &b"abcd"[..]));
        assert_eq!(connection.exchange(b"").await.unwrap().status, 204);
        drop(server);
        assert!(connection.exchange(b"").await.is_err());
    }
}
