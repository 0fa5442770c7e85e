//! What a connection is doing, and until when it may: the rules of its deadlines.
//!
//! The stream, the service and the answers' bodies note what happens; the connection's supervisor
//! asks [`Activity::verdict`] when its timer fires. Nothing here waits or closes.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

use super::ServerLimits;

/// How long a connection that is being closed may take to say goodbye, and may go on sending a body
/// that nobody wants: long enough for the peer to read its answer before a reset would destroy it.
const LINGER: Duration = Duration::from_secs(2);

/// What is to be done with a connection now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing before then.
    WaitUntil(Instant),
    /// It rests: end it in good order.
    Finish,
    /// It is slow, or does not go: drop it.
    Drop,
}

/// Times are milliseconds since `opened`, plus one, so that zero can mean "not so".
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    under_way: AtomicU32,
    served: AtomicBool,
    http2: AtomicBool,
    lingers: AtomicBool,
    head_since: AtomicU64,
    rests_since: AtomicU64,
    unread_since: AtomicU64,
    closing_since: AtomicU64,
}

impl Activity {
    pub fn new(opened: Instant) -> Self {
        Activity {
            opened,
            under_way: AtomicU32::new(0),
            served: AtomicBool::new(false),
            http2: AtomicBool::new(false),
            lingers: AtomicBool::new(false),
            head_since: AtomicU64::new(0),
            rests_since: AtomicU64::new(1),
            unread_since: AtomicU64::new(0),
            closing_since: AtomicU64::new(0),
        }
    }

    /// A request's headers are complete.
    pub fn begin(&self, http2: bool) {
        self.under_way.fetch_add(1, Relaxed);
        self.head_since.store(0, Relaxed);
        self.served.store(true, Relaxed);
        self.http2.store(http2, Relaxed);
    }

    /// Its answer has been handed over, or the request was given up.
    pub fn end(&self) {
        self.rests_since.store(self.ms(), Relaxed);
        self.under_way.fetch_sub(1, Relaxed);
    }

    pub fn bytes_arrived(&self) {
        if self.under_way.load(Relaxed) == 0 {
            self.set_once(&self.head_since);
        }
    }

    pub fn write_blocked(&self) {
        self.set_once(&self.unread_since);
    }

    pub fn write_moved(&self) {
        if self.unread_since.load(Relaxed) != 0 {
            self.unread_since.store(0, Relaxed);
        }
    }

    pub fn closing(&self) {
        self.set_once(&self.closing_since);
    }

    /// A body may still be coming that will not be read.
    pub fn linger(&self) {
        self.lingers.store(true, Relaxed);
    }

    pub fn lingers(&self) -> bool {
        self.lingers.load(Relaxed)
    }

    /// HTTP/2 peers send frames that are no requests (pings, settings), so there arriving bytes
    /// do not begin a request's headers; a first request must still come in `header_timeout`.
    pub fn verdict(&self, now: Instant, limits: &ServerLimits) -> Verdict {
        let unread = self.unread_since.load(Relaxed);
        let head = self.head_since.load(Relaxed);
        let closing = self.closing_since.load(Relaxed);
        let (since, allowed, late) = if closing != 0 {
            (closing, LINGER, Verdict::Drop)
        } else if unread != 0 {
            (unread, limits.idle_timeout, Verdict::Drop)
        } else if self.under_way.load(Relaxed) > 0 {
            return Verdict::WaitUntil(now + limits.tick());
        } else if !self.served.load(Relaxed) {
            (1, limits.header_timeout, Verdict::Drop)
        } else if head != 0 && !self.http2.load(Relaxed) {
            (head, limits.header_timeout, Verdict::Drop)
        } else {
            (self.rests_since.load(Relaxed), limits.idle_timeout, Verdict::Finish)
        };
        let until = self.opened + Duration::from_millis(since - 1) + allowed;
        if until <= now {
            return late;
        }
        // A shorter deadline may begin while we wait: look again before that one ends.
        Verdict::WaitUntil(until.min(now + limits.tick()))
    }

    fn set_once(&self, at: &AtomicU64) {
        if at.load(Relaxed) == 0 {
            at.store(self.ms(), Relaxed);
        }
    }

    fn ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ServerLimits = ServerLimits {
        connections_max: 1,
        header_bytes_max: 8192,
        headers_max: 10,
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(75),
        drain_timeout: Duration::from_secs(1),
    };

    async fn after(activity: &Activity, s: u64) -> Verdict {
        tokio::time::advance(Duration::from_secs(s)).await;
        activity.verdict(Instant::now(), &LIMITS)
    }

    fn in_s(s: u64) -> Verdict {
        Verdict::WaitUntil(Instant::now() + Duration::from_secs(s))
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_and_slow_first_headers_have_the_same_deadline() {
        let silent = Activity::new(Instant::now());
        let slow = Activity::new(Instant::now());
        assert_eq!(after(&silent, 9).await, in_s(1));
        slow.bytes_arrived();
        assert_eq!(after(&slow, 1).await, Verdict::Drop);
        assert_eq!(silent.verdict(Instant::now(), &LIMITS), Verdict::Drop);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_under_way_has_all_the_time_of_its_handler() {
        let a = Activity::new(Instant::now());
        a.begin(false);
        a.bytes_arrived();
        assert_eq!(after(&a, 1_000).await, in_s(10));
        a.end();
        assert_eq!(after(&a, 70).await, in_s(5), "body bytes were no headers");
        assert_eq!(after(&a, 5).await, Verdict::Finish);
    }

    #[tokio::test(start_paused = true)]
    async fn later_headers_have_the_header_timeout_and_http2_frames_are_no_headers() {
        for (http2, want) in [(false, Verdict::Drop), (true, in_s(10))] {
            let a = Activity::new(Instant::now());
            a.begin(http2);
            a.end();
            a.bytes_arrived();
            let got = after(&a, 10).await;
            let want = if let Verdict::WaitUntil(_) = want { in_s(10) } else { want };
            assert_eq!(got, want, "http2: {http2}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_left_unread_ends_the_connection_even_while_requests_are_under_way() {
        let a = Activity::new(Instant::now());
        a.begin(false);
        a.write_blocked();
        assert_eq!(after(&a, 74).await, in_s(1));
        a.write_moved();
        a.write_blocked();
        assert_eq!(after(&a, 75).await, Verdict::Drop);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closing_connection_is_dropped_soon() {
        let a = Activity::new(Instant::now());
        a.begin(false);
        a.closing();
        assert_eq!(after(&a, 1).await, in_s(1));
        assert_eq!(after(&a, 1).await, Verdict::Drop);
    }
}
