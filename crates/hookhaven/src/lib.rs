//! The gateway: everything between a socket and the store.
//!
//! `ingest` takes requests in, `publish` messages, `worker` brings events out, `api` lets people look and act, `dashboard` shows it to them; they do not
//! import each other and meet in `app` and through the store. `egress` is the one way out, `server` the
//! one way in, `config` what the team wrote, `cli` what a person types.

pub mod access;
pub mod alerting;
pub mod alerts;
pub mod api;
pub mod app;
pub mod asking;
pub mod bench;
pub mod body;
pub mod causes;
pub mod cli;
pub mod config;
pub mod correlation;
pub mod dashboard;
pub mod demo;
pub mod egress;
pub mod headers;
pub mod ingest;
pub mod jobs;
pub mod live_feed;
pub mod log;
pub mod marks;
pub mod metrics;
pub mod publications;
pub mod publish;
pub mod published;
pub mod quarantine;
pub mod routing;
pub mod sample;
pub mod seal;
pub mod secrets;
pub mod server;
pub mod shelf;
pub mod stage;
pub mod stats;
pub mod sweeps;
pub mod switches;
pub mod telemetry;
pub mod tls;
pub mod torture;
pub mod trials;
pub mod worker;
