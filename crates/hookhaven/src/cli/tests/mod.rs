//! Commands as a person types them, against the admin API on a real loopback socket.

mod analyze;
mod dlq;
mod find;
mod jobs;
mod keys;
mod look;
mod pages;
mod reference;
mod routes;
mod search;
mod trigger;
mod why;

use axum::Router;
use clap::Parser;
use hookhaven_core::Secret;
use hookhaven_store::clock::Clock;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    analyze as analyze_command,
    args::{Cli, Command},
    client::Client,
    deliveries, destinations, dlq as dlq_command, events, jobs as jobs_command, keys as keys_command,
    print::capture,
    replay as replay_command, routes as routes_command, why as why_command,
};
use crate::api::fixture::{Scene, TOKEN};

/// A server that ends with the test.
struct Served {
    url: String,
    task: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(router: Router) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Served { url, task }
}

/// A port where nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// What a command came to.
struct Ran {
    code: anyhow::Result<u8>,
    out: String,
    err: String,
}

impl Ran {
    fn done(self) -> String {
        assert_eq!(self.code.unwrap(), 0, "{}", self.err);
        self.out
    }

    fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.done()).unwrap()
    }
}

/// Runs a command line against the scene's gateway. `answer` is what a person says when asked.
async fn typed(scene: &Scene, line: &str, answer: Option<bool>) -> Ran {
    let served = serve(scene.router.clone()).await;
    let client = Client::remote(&served.url, Secret::new(TOKEN)).unwrap();
    run(&client, scene, line, answer).await
}

async fn run(client: &Client, scene: &Scene, line: &str, answer: Option<bool>) -> Ran {
    let cli = Cli::try_parse_from(["hookhaven"].into_iter().chain(line.split(' '))).unwrap();
    let (mut screen, out, err) = capture::screen(cli.command.json(), answer, scene.clock.now());
    let code = match cli.command {
        Command::Events(c) => events::act(c, client, &mut screen).await,
        Command::Deliveries(c) => deliveries::act(c, client, &mut screen).await,
        Command::Dlq(c) => dlq_command::act(c, client, &mut screen).await,
        Command::Destinations(c) => destinations::act(c, client, &mut screen).await,
        Command::Keys(c) => keys_command::act(c, client, &mut screen).await,
        Command::Routes(c) => routes_command::act(c, client, &mut screen).await,
        Command::Analyze(a) => analyze_command::act(a, client, &mut screen).await,
        Command::Replay(a) => replay_command::act(a, client, &mut screen).await,
        Command::Jobs(c) => jobs_command::act(c, client, &mut screen).await,
        Command::Why(a) => why_command::act(a, client, &mut screen).await,
        other => panic!("{other:?} does not speak to the admin API"),
    };
    Ran { code, out: out.text(), err: err.text() }
}
