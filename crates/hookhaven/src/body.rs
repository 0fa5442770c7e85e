//! A request's body, read once, bounded in bytes and time, whether its length was declared or not.
//!
//! Never decompressed: signatures are over the bytes as sent. What is held over all requests has a
//! budget of its own, shared by everything that takes bodies in, so that many large ones at once are turned
//! away and not the process killed.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use bytes::Bytes;
use hookhaven_store::Leave;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::timeout;

use crate::config::Limits;

/// Why a body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    TooLarge,
    Timeout,
    /// The connection or the framing broke.
    Broken,
    /// `limits.body_bytes_in_flight_max` is used up.
    Busy,
}

/// Bytes of bodies held now.
#[derive(Debug, Default)]
pub struct Budget {
    used_bytes: AtomicUsize,
}

impl Budget {
    fn take(self: &Arc<Self>, bytes: usize, max: usize) -> Result<Share, BodyError> {
        let mut share = Share { budget: self.clone(), bytes: 0 };
        share.grow(bytes, max)?;
        Ok(share)
    }
}

/// A part of the budget, given back when dropped.
#[derive(Debug)]
struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Share {
    fn grow(&mut self, bytes: usize, max: usize) -> Result<(), BodyError> {
        let before = self.budget.used_bytes.fetch_add(bytes, Relaxed);
        self.bytes += bytes;
        // What was added too much goes back with the rest of the share.
        if before.saturating_add(bytes) > max { Err(BodyError::Busy) } else { Ok(()) }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used_bytes.fetch_sub(self.bytes, Relaxed);
    }
}

/// A whole body, with its share of the budget.
#[derive(Debug)]
pub struct Whole {
    pub bytes: Bytes,
    _share: Share,
}

/// Reads all of it. The bytes are copied out of the connection's buffer: an event that is kept must not
/// keep that too, and the connection can use it again.
pub async fn read<B>(
    mut body: B,
    bytes_max: usize,
    leave: Leave,
    limits: &Limits,
    budget: &Arc<Budget>,
) -> Result<Whole, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let in_flight_max = usize::try_from(leave.of(limits.body_bytes_in_flight_max as u64)).unwrap_or(usize::MAX);
    let declared = body.size_hint().exact().and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= bytes_max);
    let mut share = budget.take(declared.unwrap_or(0), in_flight_max)?;
    // The budget is charged with what was declared, memory taken only as bytes come.
    let mut bytes = Vec::new();
    let reading = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| BodyError::Broken)?;
            let Ok(data) = frame.into_data() else { continue };
            let len = bytes.len() + data.len();
            if len > bytes_max {
                return Err(BodyError::TooLarge);
            }
            if len > share.bytes {
                share.grow(len - share.bytes, in_flight_max)?;
            }
            if bytes.is_empty() {
                bytes.reserve_exact(data.len());
            }
            bytes.extend_from_slice(&data);
        }
        Ok(())
    };
    timeout(limits.body_timeout, reading).await.map_err(|_| BodyError::Timeout)??;
    Ok(Whole { bytes: Bytes::from(bytes), _share: share })
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, convert::Infallible, time::Duration};

    use futures_util::{StreamExt, stream};
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;
    use tokio::sync::oneshot;

    use super::*;

    fn limits(in_flight: usize) -> Limits {
        Limits { body_bytes_in_flight_max: in_flight, ..Limits::default() }
    }

    fn chunked(chunks: &[&'static [u8]]) -> impl Body<Data = Bytes> + Unpin + use<> {
        let frames: VecDeque<_> =
            chunks.iter().map(|c| Ok::<_, Infallible>(Frame::data(Bytes::from_static(c)))).collect();
        StreamBody::new(stream::iter(frames))
    }

    #[tokio::test]
    async fn bodies_are_whole_up_to_the_limit_and_refused_beyond() {
        let budget = Arc::default();
        let whole = read(chunked(&[b"ab", b"", b"cde"]), 5, Leave::NOTHING, &limits(10), &budget).await.unwrap();
        assert_eq!(&whole.bytes[..], b"abcde");
        assert_eq!(
            read(chunked(&[b"ab", b"cdef"]), 5, Leave::NOTHING, &limits(10), &budget).await.unwrap_err(),
            BodyError::TooLarge
        );
        drop(whole);
        assert_eq!(budget.used_bytes.load(Relaxed), 0);
    }

    #[tokio::test]
    async fn the_budget_is_shared_charged_by_declaration_and_given_back() {
        let budget = Arc::default();
        let first = read(chunked(&[b"abc"]), 8, Leave::NOTHING, &limits(8), &budget).await.unwrap();
        let declared = Full::new(Bytes::from_static(b"123456"));
        assert_eq!(read(declared.clone(), 8, Leave::NOTHING, &limits(8), &budget).await.unwrap_err(), BodyError::Busy);
        assert_eq!(
            read(chunked(&[b"123", b"456"]), 8, Leave::NOTHING, &limits(8), &budget).await.unwrap_err(),
            BodyError::Busy
        );
        drop(first);
        let whole = read(declared, 8, Leave::NOTHING, &limits(8), &budget).await.unwrap();
        assert_eq!(budget.used_bytes.load(Relaxed), 6);
        drop(whole);
        assert_eq!(budget.used_bytes.load(Relaxed), 0);
    }

    #[tokio::test]
    async fn a_share_of_the_budget_is_left_to_those_who_may_use_it_all() {
        let budget = Arc::default();
        let body = || Full::new(Bytes::from_static(b"1234"));
        let first = read(body(), 8, Leave::percent(20), &limits(10), &budget).await.unwrap();
        let second = read(body(), 8, Leave::percent(20), &limits(10), &budget).await.unwrap();
        let two = || Full::new(Bytes::from_static(b"12"));
        assert_eq!(read(two(), 8, Leave::percent(20), &limits(10), &budget).await.unwrap_err(), BodyError::Busy);
        assert!(read(two(), 8, Leave::NOTHING, &limits(10), &budget).await.is_ok());
        drop((first, second));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let (_hold, never) = oneshot::channel::<()>();
        let first = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"a")))]);
        let body = StreamBody::new(first.chain(stream::once(never).filter_map(|_| async { None })).boxed());
        let limits = Limits { body_timeout: Duration::from_secs(30), ..limits(100) };
        assert_eq!(read(body, 100, Leave::NOTHING, &limits, &Arc::default()).await.unwrap_err(), BodyError::Timeout);
    }
}
