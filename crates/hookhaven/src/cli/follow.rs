//! Following a gateway's stream from here: over lost connections and restarts, each message once.
//!
//! The cursor of what was handed out last is where the stream goes on; what comes again then is known by its id
//! and left out. Not here: what is done with a message.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use anyhow::{anyhow, bail};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::Instant;

use super::client::{Client, NotNow, Query};
use crate::live_feed::BEAT_EVERY;

/// A connection on which nothing came for so long is given up: the gateway would have spoken three times.
const SILENCE_MAX: Duration = Duration::from_secs(3 * BEAT_EVERY.as_secs());
/// Between two tries to connect, at first and at most; each pause is twice the one before.
const AGAIN_FIRST: Duration = Duration::from_millis(250);
const AGAIN_MAX: Duration = Duration::from_secs(10);
/// Longest message that is read.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Ids remembered, to leave out what comes twice.
const SEEN_MAX: usize = 200_000;

/// What came.
#[derive(Clone, Debug, PartialEq)]
pub enum Followed {
    Message(Message),
    /// Nothing happened. Everything so far has come, and this cursor goes on from here.
    Beat(String),
    /// The connection is lost, for this reason; it is tried again.
    Lost(String),
    /// The connection stands again.
    Back,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub kind: String,
    pub data: Value,
    /// What goes on behind it.
    pub cursor: String,
}

pub struct Follower<'c> {
    client: &'c Client,
    query: Query,
    /// For as long as there is no cursor.
    since: Option<String>,
    cursor: Option<String>,
    body: Option<Incoming>,
    lines: Lines,
    seen: Seen,
    /// Before the next try to connect; `None` before the first, where nobody knows yet whether there is a gateway.
    pause: Option<Duration>,
    /// When that pause is over, once it is waited for.
    again_at: Option<Instant>,
    was_lost: bool,
}

impl<'c> Follower<'c> {
    /// `query` says which messages; `cursor` goes before `since`, and `seen` names events that are not to come again.
    pub fn new(
        client: &'c Client,
        query: Query,
        since: Option<String>,
        cursor: Option<String>,
        seen: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut known = Seen::default();
        for id in seen {
            known.add(id);
        }
        // Who has a cursor was there before: the gateway may be away just now, like at any other time.
        let pause = cursor.as_ref().map(|_| Duration::ZERO);
        Follower {
            client,
            query,
            since,
            cursor,
            body: None,
            lines: Lines::default(),
            seen: known,
            pause,
            again_at: None,
            was_lost: false,
        }
    }

    /// Waits for what comes next. Given up while it waits, nothing is lost.
    ///
    /// # Errors
    /// What another try will not mend: the first connection without a cursor, and whatever the gateway refuses.
    pub async fn next(&mut self) -> anyhow::Result<Followed> {
        loop {
            if let Some(block) = self.lines.block()? {
                if let Some(followed) = self.read(block)? {
                    return Ok(followed);
                }
                continue;
            }
            let Some(body) = &mut self.body else {
                match self.connect().await? {
                    Some(followed) => return Ok(followed),
                    None => continue,
                }
            };
            match tokio::time::timeout(SILENCE_MAX, body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Some(data) = frame.data_ref() {
                        self.lines.push(data)?;
                    }
                }
                Ok(Some(Err(error))) => return Ok(self.lost(error.to_string())),
                Ok(None) => return Ok(self.lost("the gateway ended the stream".to_owned())),
                Err(_) => return Ok(self.lost(format!("nothing came for {} s", SILENCE_MAX.as_secs()))),
            }
        }
    }

    fn lost(&mut self, why: String) -> Followed {
        self.body = None;
        self.lines = Lines::default();
        self.was_lost = true;
        Followed::Lost(why)
    }

    async fn connect(&mut self) -> anyhow::Result<Option<Followed>> {
        if let Some(pause) = self.pause {
            // Who is given up while waiting goes on from there: callers do so again and again.
            tokio::time::sleep_until(*self.again_at.get_or_insert_with(|| Instant::now() + pause)).await;
        }
        let since = self.since.as_ref().filter(|_| self.cursor.is_none());
        let query = self.query.clone().with("since", since);
        let answer = self.client.stream("/stream", &query, self.cursor.as_deref()).await;
        self.again_at = None;
        match answer {
            Ok(body) => {
                self.body = Some(body);
                self.pause = Some(AGAIN_FIRST);
                Ok(std::mem::take(&mut self.was_lost).then_some(Followed::Back))
            }
            // Nobody can tell yet whether there is a gateway at all.
            Err(error) if self.pause.is_none() => Err(error),
            Err(error) if !may_pass(&error) => Err(error),
            Err(error) => {
                self.pause = self.pause.map(|pause| (pause * 2).clamp(AGAIN_FIRST, AGAIN_MAX));
                let known = std::mem::replace(&mut self.was_lost, true);
                Ok((!known).then(|| Followed::Lost(format!("{error:#}"))))
            }
        }
    }

    /// `None` for what came before.
    fn read(&mut self, block: Block) -> anyhow::Result<Option<Followed>> {
        let Some(cursor) = block.id else { return Ok(None) };
        self.cursor = Some(cursor.clone());
        let Some(data) = block.data else { return Ok(Some(Followed::Beat(cursor))) };
        let data: Value = serde_json::from_str(&data)
            .map_err(|error| anyhow!("the stream is not that of a gateway of this version: {error}"))?;
        let kind = block.kind.unwrap_or_default();
        let id = data.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let message = Message { kind, data, cursor };
        Ok(self.seen.add(id).then_some(Followed::Message(message)))
    }
}

/// Whether another try may go better: no whole answer came, or one that says so.
fn may_pass(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<NotNow>()
            || cause.is::<hyper_util::client::legacy::Error>()
            || cause.is::<hyper::Error>()
            || cause.is::<tokio::time::error::Elapsed>()
    })
}

/// Ids that came, the newest of them.
#[derive(Debug, Default)]
struct Seen {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    /// Whether it is new.
    fn add(&mut self, id: String) -> bool {
        if !self.ids.insert(id.clone()) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > SEEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

/// The fields of server-sent events (HTML standard, 9.2.6), as far as our stream has them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Block {
    id: Option<String>,
    kind: Option<String>,
    data: Option<String>,
}

/// Bytes as they come, cut into blocks.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    /// Read so far of them.
    at: usize,
}

impl Lines {
    fn push(&mut self, data: &Bytes) -> anyhow::Result<()> {
        self.bytes.drain(..self.at);
        self.at = 0;
        if self.bytes.len() + data.len() > MESSAGE_BYTES_MAX {
            bail!("the gateway sends a message longer than {MESSAGE_BYTES_MAX} bytes");
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// The next whole block.
    fn block(&mut self) -> anyhow::Result<Option<Block>> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.windows(2).position(|two| two == b"\n\n") else { return Ok(None) };
        let text = std::str::from_utf8(&rest[..length]).map_err(|_| anyhow!("the stream is not text"))?;
        let mut block = Block::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once(": ")) {
            match name {
                "id" => block.id = Some(value.to_owned()),
                "event" => block.kind = Some(value.to_owned()),
                "data" => block.data = Some(value.to_owned()),
                _ => {}
            }
        }
        self.at += length + 2;
        Ok(Some(block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(pieces: &[&str]) -> Vec<Block> {
        let (mut lines, mut all) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.push(&Bytes::copy_from_slice(piece.as_bytes())).unwrap();
            all.extend(std::iter::from_fn(|| lines.block().unwrap()));
        }
        all
    }

    #[test]
    fn messages_are_whole_however_they_are_cut() {
        let text = "retry: 1000\nid: 1.2.3\n\nid: 2.2.3\nevent: event\ndata: {\"id\": \"ü: 1\"}\n\n";
        let whole = blocks(&[text]);
        assert_eq!(whole[0], Block { id: Some("1.2.3".into()), ..Block::default() });
        assert_eq!(whole[1].data.as_deref(), Some("{\"id\": \"ü: 1\"}"));
        for cut in (1..text.len()).filter(|cut| text.is_char_boundary(*cut)) {
            assert_eq!(blocks(&[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_message_without_end_is_refused() {
        let mut lines = Lines::default();
        let piece = Bytes::from(vec![b'x'; 1 << 20]);
        let refused = (0..5).find_map(|_| lines.push(&piece).err());
        assert!(refused.is_some_and(|error| error.to_string().contains("longer than")));
    }

    #[test]
    fn what_came_before_is_known_within_a_limit() {
        let mut seen = Seen::default();
        assert!(seen.add("a".into()) && !seen.add("a".into()));
        for n in 0..SEEN_MAX {
            assert!(seen.add(n.to_string()));
        }
        assert!(seen.add("a".into()), "the oldest is forgotten");
    }
}
