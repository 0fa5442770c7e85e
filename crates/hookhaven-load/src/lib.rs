//! What looks at a gateway from outside: a load client, the events it sends, what received them, and the
//! gateway as a child process. `hookhaven bench` and `hookhaven torture` stand on it, and so do the
//! benchmark in `bench/` and the end-to-end tests.
//!
//! Nothing here knows the gateway's code: only HTTP, its config file and what it prints. All traffic
//! goes to addresses that the caller gives, which are loopback's, and every loop is bounded.

pub mod client;
pub mod event;
pub mod faithful;
pub mod gateway;
pub mod latency;
pub mod load;
pub mod now;
pub mod sink;
pub mod written;
