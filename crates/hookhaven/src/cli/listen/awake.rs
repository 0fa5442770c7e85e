//! A limit of time that does not pass while this process is suspended.
//!
//! An ordinary timeout would have passed when a laptop wakes up, or a stopped process goes on, and would give up an answer
//! that has been there all the while. Not here: what is waited for.

use std::time::Duration;

/// So much of a suspension counts, at most; of a short limit, a quarter.
const SLICE: Duration = Duration::from_millis(250);

/// What comes within so much time of being awake; `None` if nothing does.
pub(super) async fn timeout<F: Future>(limit: Duration, what: F) -> Option<F::Output> {
    tokio::pin!(what);
    let mut left = limit;
    while !left.is_zero() {
        let slice = left.min(limit / 4).min(SLICE).max(Duration::from_millis(1));
        if let Ok(done) = tokio::time::timeout(slice, &mut what).await {
            return Some(done);
        }
        left = left.saturating_sub(slice);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_over_when_so_long_was_waited() {
        let began = tokio::time::Instant::now();
        assert_eq!(timeout(Duration::from_secs(3), std::future::pending::<()>()).await, None);
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        assert_eq!(timeout(Duration::from_secs(3), async { 7 }).await, Some(7));
    }

    /// The clock jumps by an hour in one go, as it does for a process that was stopped; the answer is there afterwards.
    #[tokio::test(start_paused = true)]
    async fn what_arrived_during_a_suspension_still_counts() {
        let (tell, told) = tokio::sync::oneshot::channel();
        let waits = tokio::spawn(async { timeout(Duration::from_secs(1), told).await });
        tokio::task::yield_now().await;
        tokio::time::advance(Duration::from_secs(3_600)).await;
        tell.send("here").unwrap();
        assert_eq!(waits.await.unwrap(), Some(Ok("here")));
    }
}
