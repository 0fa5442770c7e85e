//! The gateway from end to end: the real binary as a child process, real senders' SDKs, real handlers,
//! over HTTP on loopback. One test binary; a subject is one file and one line here.
//!
//! No case waits for time to pass: each waits for what it expects, and fails if it does not come.

mod support;

mod access;
mod alerts;
mod answers;
mod architect;
mod asked;
mod backup;
mod bench;
mod canaries;
mod catalogue;
mod causes;
mod cli;
mod copy;
mod damage;
mod dashboard;
mod demo;
mod duplicates;
mod failure_modes;
mod filters;
mod first_start;
mod full_disk;
mod guarantees;
mod guides;
mod hostile;
mod isolation;
mod jobs;
mod kill;
mod listen;
mod monitoring;
mod newcomer;
mod nodes;
mod odd_events;
mod openapi;
mod operate;
mod ordering;
mod publish;
mod publish_clients;
mod rejected;
mod reload;
mod replayed;
mod retries;
mod rotation;
mod sealed;
mod shapes;
mod shutdown;
mod sign_in;
mod signals;
mod signatures;
mod skeletons;
mod start;
mod stats;
mod stream;
mod torture;
mod traces;
mod trials;
mod trigger;
