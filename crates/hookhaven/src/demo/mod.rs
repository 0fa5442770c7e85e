//! `hookhaven demo`: the whole job on one machine in less than a minute, with nothing to set up. A real
//! gateway on free loopback ports, real requests of four senders with all that goes wrong on the way, a
//! handler that fails, is killed and comes back, dead letters and their replay; at the end, a table.
//!
//! Ends with exit code 1 if anything acknowledged was not delivered, or anything was judged wrongly.

mod handler;
mod plan;
mod report;
mod send;

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hookhaven_core::Secret;
use hookhaven_store::clock::{Clock, Entropy, OsEntropy, SystemClock};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use self::{
    handler::{Handler, Ledger},
    plan::DemoSource,
    report::Outcome,
};
use crate::{
    app::{Gateway, Outside},
    cli::{
        Context, FAILED,
        args::DemoArgs,
        client::{Client, Query},
    },
    config::{self, Environment, Origin},
    stage::{Directory, PUBLIC_URL, Receiver, Signer, Stop, plain, secret},
};

/// How long deliveries may take to come to rest before the demo calls them stuck.
const REST_TIMEOUT: Duration = Duration::from_secs(60);

pub async fn run(args: DemoArgs, context: &Context) -> Result<ExitCode> {
    let mut stop = Stop::listen().context("signals cannot be taken on this system")?;
    let dir = Directory::under(&std::env::temp_dir(), "demo", &OsEntropy)?;
    let mut demo = Demo::start(dir.path()).await?;
    let played = tokio::select! {
        outcome = demo.play(context.terminal) => Some(outcome?),
        () = stop.asked() => None,
    };
    let Some(outcome) = played else {
        demo.gateway.stop().await;
        eprintln!("Stopped before the end.");
        return Ok(ExitCode::from(FAILED));
    };
    let verdict = outcome.verdict();
    println!("{}", outcome.table());
    let sound = verdict.lost == 0 && verdict.misjudged == 0;
    if sound {
        println!("Nothing that was acknowledged was lost, and nothing forged got in.");
    } else {
        println!("NOT AS IT SHOULD BE: {} lost, {} requests judged wrongly.", verdict.lost, verdict.misjudged);
    }
    if args.keep {
        demo.tell_where(dir.path())?;
        stop.asked().await;
    }
    demo.gateway.stop().await;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

struct Demo {
    gateway: Gateway,
    api: Client,
    handler: Handler,
    ledger: Arc<Ledger>,
    sources: Vec<DemoSource>,
    clock: Arc<dyn Clock>,
}

impl Demo {
    async fn start(dir: &Path) -> Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let handler_secret = secret("whsec_", &OsEntropy)?;
        let ledger = Arc::new(Ledger::new(Receiver::new(handler_secret.clone(), clock.clone())?));
        let handler = Handler::start(ledger.clone()).context("the demo's handler cannot listen on loopback")?;
        let sources = sources(&OsEntropy)?;
        let text = config_text(dir, &sources, handler.addr(), &handler_secret);
        let file = dir.join(config::load::DEFAULT_FILE);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        let environment = Environment::default();
        let loaded = config::load(Origin { file: Some(file), ..Origin::default() }, &environment)?;
        let log_lines_dropped = Arc::new(AtomicU64::new(0));
        let outside = Outside {
            environment,
            clock: clock.clone(),
            entropy: Arc::new(OsEntropy),
            egress: None,
            log_lines_dropped,
        };
        let gateway = Gateway::start(loaded, outside).await?;
        let api = Client::remote(&format!("http://{}", gateway.admin_addr), Some(gateway.admin_token.clone()))?;
        Ok(Demo { gateway, api, handler, ledger, sources, clock })
    }

    async fn play(&mut self, terminal: bool) -> Result<Outcome> {
        let plan = plan::plan(&self.sources, self.clock.now(), &OsEntropy)?;
        let bar = progress(plan.len() as u64, terminal);
        say(&bar, "gateway up: four sources, four routes, one handler that fails now and then");
        let total = plan.len();
        let (kill_at, revive_at) = (total * 2 / 5, total * 3 / 5);
        let (told, mut tell) = tokio::sync::mpsc::unbounded_channel();
        let counting = bar.clone();
        let ingest = self.gateway.ingest_addr.context("the demo's gateway takes nothing in")?;
        let sending = tokio::spawn(send::send_all(plan, ingest, move |done| {
            counting.inc(1);
            // The play may be over already; then nobody needs to know.
            let _ = told.send(done);
        }));
        let mut killed_at = Instant::now();
        while let Some(done) = tell.recv().await {
            if done == kill_at {
                killed_at = Instant::now();
                self.handler.kill();
                say(&bar, "handler killed; senders go on and get their 200 all the same");
            } else if done == revive_at {
                self.handler.revive().context("the demo's handler cannot come back")?;
                say(&bar, "handler back");
            }
        }
        let sent = sending.await??;
        say(&bar, "everything sent; waiting until each delivery is done or dead");
        let dead = self.rest().await?;
        say(&bar, &format!("{dead} dead letters: the handler refused these events until now; mended, replayed"));
        self.ledger.mend();
        let replay: Value = self.api.post("/dead-letters/replay", &json!({ "filter": {} })).await?;
        let left = self.rest().await?;
        ensure!(left == 0, "{left} deliveries died again after the handler was mended");
        bar.finish_and_clear();
        Ok(Outcome {
            events: self.events().await?,
            done: self.ledger.done(),
            killed_at,
            retried: self.metric("webhook_retries_total", None).await?.values().sum(),
            refusals: self.metric("webhook_signature_invalid_total", Some("reason")).await?,
            dead,
            replayed: replay["done"].as_u64().unwrap_or(0),
            sent,
        })
    }

    /// Waits until nothing is pending; answers how many dead letters there are.
    async fn rest(&self) -> Result<u64> {
        let look = async {
            let mut every = tokio::time::interval(Duration::from_millis(50));
            loop {
                every.tick().await;
                let status: Value = self.api.get("/status", &Query::default()).await?;
                if status["store"]["pending"] == json!(0) {
                    return anyhow::Ok(status["store"]["dead_letters"].as_u64().unwrap_or(0));
                }
            }
        };
        tokio::time::timeout(REST_TIMEOUT, look).await.context("deliveries did not come to rest within a minute")?
    }

    /// The gateway's event ids, by source and the sender's id.
    async fn events(&self) -> Result<HashMap<(String, String), String>> {
        let list = self.api.list("/events", &Query::default(), usize::MAX, None).await?;
        let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
        let entry = |item| ((text(item, "source"), text(item, "idempotency_key")), text(item, "id"));
        Ok(items.iter().map(entry).collect())
    }

    /// The samples of a counter, added up by one of its labels.
    async fn metric(&self, name: &str, label: Option<&str>) -> Result<BTreeMap<String, u64>> {
        let text = self.api.metrics().await?;
        let mut sums = BTreeMap::new();
        for line in text.lines().filter(|l| l.starts_with(name) && !l.starts_with('#')) {
            let value = line.rsplit(' ').next().and_then(|v| v.parse::<f64>().ok()).unwrap_or(0.0);
            let of = label.and_then(|l| line.split(&format!("{l}=\"")).nth(1)?.split('"').next()).unwrap_or_default();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
            let count = value as u64;
            *sums.entry(of.to_owned()).or_insert(0) += count;
        }
        Ok(sums)
    }

    /// Leaves everything running until Ctrl-C.
    fn tell_where(&self, dir: &Path) -> Result<()> {
        let ingest = self.gateway.ingest_addr.context("the demo's gateway takes nothing in")?;
        let admin = self.gateway.admin_addr;
        let file = dir.join(config::load::DEFAULT_FILE);
        // The command line looks the addresses up in the file.
        let text = std::fs::read_to_string(&file)?
            .replace("ingest = \"127.0.0.1:0\"", &format!("ingest = \"{ingest}\""))
            .replace("admin = \"127.0.0.1:0\"", &format!("admin = \"{admin}\""));
        std::fs::write(&file, text)?;
        println!("\nStill running; Ctrl-C ends it.");
        println!("  senders post to  http://{ingest}/webhooks/stripe (github, slack, twilio)");
        println!("  dashboard        http://{admin}{} (signs you in, once)", self.gateway.sign_in_path());
        println!("  admin API        http://{admin}/api/v1/status");
        println!("  admin token      {}/{}", dir.join("data").display(), crate::app::TOKEN_FILE);
        println!("Try, in another terminal:");
        for command in ["trigger stripe invoice.paid", "events list", "dlq list", "deliveries list"] {
            println!("  hookhaven {command} --config {}", file.display());
        }
        Ok(())
    }
}

fn sources(entropy: &dyn Entropy) -> Result<Vec<DemoSource>> {
    let all: [(_, _, &[&str]); 4] = [
        (
            "stripe",
            "billing",
            &[
                "customer.subscription.updated",
                "customer.subscription.created",
                "invoice.paid",
                "charge.dispute.created",
            ],
        ),
        ("github", "ci", &["push", "pull_request.opened", "workflow_run.completed"]),
        ("slack", "chat", &["message", "app_mention"]),
        ("twilio", "sms", &["message.delivered", "message.failed"]),
    ];
    let source = |(name, destination, types): (&'static str, &'static str, &'static [&'static str])| {
        Ok(DemoSource { destination, types, signer: Signer::of(name, entropy)? })
    };
    all.into_iter().map(source).collect()
}

/// An ordinary config file, kept for those who want to read it.
fn config_text(dir: &Path, sources: &[DemoSource], handler: SocketAddr, handler_secret: &Secret) -> String {
    let mut text = format!(
        "# The demo's own configuration.\n[server]\ningest = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
         public_url = \"{PUBLIC_URL}\"\n\n[store]\nurl = \"file:{}\"\n",
        dir.join("data").display()
    );
    for s in sources {
        let (name, to) = (s.signer.name, s.destination);
        text.push_str(&format!(
            "\n[sources.{name}]\nsender = \"{name}\"\nsecrets = [\"{}\"]\n\n\
             [destinations.{to}]\nurl = \"http://{handler}/{to}\"\ntimeout = \"5s\"\nsecret = \"{}\"\n\
             breaker = {{ rest = \"500ms\" }}\n\n\
             [[routes]]\nsource = \"{name}\"\nto = [\"{to}\"]\n\
             retry = {{ attempts = 5, initial = \"250ms\", factor = 2.0 }}\n",
            plain(&s.signer.secret),
            plain(handler_secret),
        ));
    }
    text
}

fn progress(total: u64, terminal: bool) -> ProgressBar {
    let bar = if terminal { ProgressBar::new(total) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} requests  {elapsed}");
    style.map(|s| bar.clone().with_style(s)).unwrap_or(bar)
}

/// Prints above the bar, or plainly where there is none.
fn say(bar: &ProgressBar, text: &str) {
    if bar.is_hidden() { println!("{text}") } else { bar.println(text) }
}
