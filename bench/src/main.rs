//! `hookhaven-bench`: runs scenarios, and is itself the processes that they are made of.
//!
//! `run` starts a gateway, bare servers, load and sinks as children on loopback, ends them all, prints
//! a table and writes `target/bench/<scenario>.json`. The other commands are those children.

mod bare;
mod process;
mod scenarios;
mod serve;
mod sink;
mod soak;
mod torture;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use clap::{Parser, Subcommand};
use hookhaven_load::{
    client,
    event::Events,
    load::{self, Until},
};

// The same allocator as the gateway's: the ceiling must not be lower for another reason than its work.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(about = "Measures a gateway beside a bare server, on loopback")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios: all of them, or those named
    Run {
        /// The gateway's binary
        #[arg(long)]
        gateway: PathBuf,
        /// closed, steady, sustained, burst, isolation, backlog, postgres, publish, keys, copy, jobs, operate,
        /// dashboard, profile
        scenarios: Vec<String>,
    },
    /// A server with the gateway's HTTP stack that checks the signature and answers
    Bare {
        #[arg(long)]
        secret: String,
        /// Append each event to a file here and sync it, in groups, before the answer
        #[arg(long)]
        sync: Option<PathBuf>,
    },
    /// A handler that counts what it gets, and tells under /stats
    Sink {
        /// Never answer
        #[arg(long)]
        hang: bool,
        /// Answer 400
        #[arg(long)]
        refuse: bool,
    },
    /// Run one thing for long and see that nothing grows: retention, live-view
    Soak {
        name: String,
        #[command(flatten)]
        options: soak::Options,
    },
    /// `hookhaven torture` on a PostgreSQL of its own that is crashed again and again
    TorturePostgres {
        /// The gateway's binary
        #[arg(long)]
        gateway: PathBuf,
        #[arg(long, default_value_t = 10.0)]
        minutes: f64,
    },
    /// Send signed events; print a report as JSON
    Load(Load),
}

#[derive(Debug, clap::Args)]
pub struct Load {
    #[arg(long)]
    to: SocketAddr,
    #[arg(long)]
    path: String,
    #[arg(long)]
    secret: String,
    /// Part of the events' ids, so that two loads do not repeat each other
    #[arg(long)]
    run: String,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    #[arg(long, default_value_t = 2_048)]
    body_bytes: usize,
    /// At most so many events
    #[arg(long)]
    count: u64,
    /// Closed loop for at most so long
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Open loop: so many events a second
    #[arg(long)]
    per_second: Option<f64>,
    /// Publish them, with this token
    #[arg(long)]
    token: Option<String>,
    /// Published ones are to be delivered so much later
    #[arg(long, default_value = "0s")]
    delay: String,
}

fn main() -> ExitCode {
    match start(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hookhaven-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(command: Command) -> Result<()> {
    // The bare server runs as the gateway does; what only drives or watches takes as little as it can.
    let mut runtime = match command {
        Command::Bare { .. } => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    runtime.enable_all().build()?.block_on(async {
        match command {
            Command::Run { gateway, scenarios } => scenarios::run(gateway, &scenarios).await,
            Command::Bare { secret, sync } => bare::serve(&secret, sync.as_deref()).await,
            Command::Sink { hang, refuse } => sink::serve(hang, refuse).await,
            Command::Soak { name, options } => soak::run(&name, &options).await,
            Command::TorturePostgres { gateway, minutes } => torture::postgres(&gateway, minutes).await,
            Command::Load(load) => send(load).await,
        }
    })
}

async fn send(load: Load) -> Result<()> {
    let events = Events { run: load.run, secret: load.secret, body_bytes: load.body_bytes };
    let (host, path, token, delay) = (load.to.to_string(), load.path, load.token, load.delay);
    let requests = move |number, intended_us: u64| match &token {
        None => events.request(&host, &path, number, intended_us, intended_us / 1_000_000),
        Some(token) => {
            let (bearer, body) = (format!("Bearer {token}"), events.body(number, intended_us));
            let headers = [
                ("authorization", bearer),
                ("content-type", "application/json".into()),
                ("upstash-delay", delay.clone()),
            ];
            let headers = headers.map(|(name, value)| (name.to_owned(), value));
            client::request("POST", &host, &path, &headers, body.as_bytes())
        }
    };
    let report = match load.per_second {
        Some(per_second) => load::open(load.to, load.connections, per_second, load.count, requests).await,
        None => {
            let until = Until { requests: load.count, time: Duration::from_secs(load.seconds) };
            load::closed(load.to, load.connections, until, requests).await
        }
    };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
