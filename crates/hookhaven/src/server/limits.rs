//! The limits of a server: those a person may set under `[limits]`, and those with one right value.

use std::time::Duration;

use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto::Builder,
};

use crate::config;

/// Requests under way at once on one HTTP/2 connection.
const HTTP2_STREAMS_MAX: u32 = 256;
/// What one HTTP/2 stream may send before we have taken any of it.
const HTTP2_STREAM_WINDOW_BYTES: u32 = 128 << 10;
/// The same for a whole HTTP/2 connection: its share of our memory when nothing reads.
const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 256 << 10;
/// An HTTP/2 peer that is silent this long while requests are under way is asked whether it is there…
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);
/// …and dropped when it does not answer in this time.
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(20);
/// For a connection beyond the limit to say what it wants, and to read that it cannot have it.
const TURNED_AWAY_TIMEOUT: Duration = Duration::from_secs(5);
/// hyper refuses to work with a smaller read buffer.
const HEADER_BYTES_FLOOR: usize = 8 << 10;

/// What one server grants its peers. Fixed when it starts.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    pub connections_max: usize,
    pub header_bytes_max: usize,
    pub headers_max: usize,
    /// From the first moment of a connection, or the first byte of a later request, to the end of
    /// its headers.
    pub header_timeout: Duration,
    /// Between requests; also how long an answer may stay unread.
    pub idle_timeout: Duration,
    pub drain_timeout: Duration,
}

impl From<&config::Limits> for ServerLimits {
    fn from(limits: &config::Limits) -> Self {
        ServerLimits {
            connections_max: limits.connections_max,
            header_bytes_max: limits.header_bytes_max,
            headers_max: limits.headers_max,
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            drain_timeout: limits.drain_timeout,
        }
    }
}

impl ServerLimits {
    /// For connections that are only told to come again: they must not be held open by those who have
    /// nothing to ask.
    pub(super) fn for_turned_away(&self) -> ServerLimits {
        let (header, idle) = (self.header_timeout.min(TURNED_AWAY_TIMEOUT), self.idle_timeout.min(TURNED_AWAY_TIMEOUT));
        ServerLimits { header_timeout: header, idle_timeout: idle, ..*self }
    }

    /// How often a connection is looked at: no deadline that may begin meanwhile is shorter.
    pub(super) fn tick(&self) -> Duration {
        self.header_timeout.min(self.idle_timeout)
    }

    /// HTTP/1.1 and HTTP/2 on the same port. Deadlines are not hyper's but the supervisor's.
    pub(super) fn http(&self) -> Builder<TokioExecutor> {
        let header_bytes = self.header_bytes_max.max(HEADER_BYTES_FLOOR);
        let mut http = Builder::new(TokioExecutor::new());
        http.http1().max_buf_size(header_bytes).max_headers(self.headers_max);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(HTTP2_STREAMS_MAX)
            .max_header_list_size(u32::try_from(header_bytes).unwrap_or(u32::MAX))
            .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
            .keep_alive_interval(HTTP2_PING_INTERVAL)
            .keep_alive_timeout(HTTP2_PING_TIMEOUT);
        http
    }
}
