//! The gateway from end to end: the real binary as a child process, real senders' SDKs, real handlers,
//! over HTTP on loopback. One test binary; a subject is one file and one line here.
//!
//! No case waits for time to pass: each waits for what it expects, and fails if it does not come.

mod canaries;
mod demo;
mod guarantees;
mod retries;
mod support;
