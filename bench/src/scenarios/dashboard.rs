//! The dashboard beside a full gateway: a million events of thirty days and 1,000 more a second, on each store. How soon
//! each page is there, what it weighs with all that it loads, and what senders notice of somebody who has the overview
//! and the live view open: the answer with and without, in turns.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use hookhaven_load::{
    client::{Answer, Connection, request},
    gateway::{Admin, PATIENCE, Running},
    load::Report,
};
use tokio::{io::AsyncReadExt as _, io::AsyncWriteExt as _, net::TcpStream, task::JoinSet};

use super::{Bench, Figure, Figures, load, median, operate, operate::past::Known};

/// A page is asked for so often; what counts is the slowest but one, which leaves out a start.
const ROUNDS: usize = 4;
const PAGE_MS: f64 = 200.0;
const PAGE_BYTES: f64 = 200e3;
/// Where the live view gets what it shows.
const LIVE: &str = "/events/live/stream?kind=event";
/// Loads with and without somebody who looks.
const PAIRS: usize = 5;
const PAIR_LOAD: [&str; 4] = ["--per-second", "1000", "--count", "15000"];
const P50_RATIO: f64 = 1.2;
const P99_RATIO: f64 = 2.0;
/// A reader turns to the next page no sooner: lists give way to senders when somebody asks without a pause.
const READING: Duration = Duration::from_millis(500);
/// While pages are looked at; ended when they are done.
const PAGES_LOAD: [&str; 4] = ["--per-second", "1000", "--count", "120000"];
/// How often the overview brings itself up to date.
const REFRESH: Duration = Duration::from_secs(10);
/// Messages that the live view has to get within a load, at least: it is told some times a second.
const SEEN_MIN: u64 = 10;

pub async fn run(bench: &Bench) -> Result<Figures> {
    let mut figures = Figures::default();
    operate::on_embedded(bench, async |gateway, known| look(gateway, known, "embedded", &mut figures).await).await?;
    operate::on_postgres(bench, async |gateway, known| look(gateway, known, "postgres", &mut figures).await).await?;
    Ok(figures)
}

async fn look(gateway: &Running, known: &Known, store: &str, figures: &mut Figures) -> Result<()> {
    let reader = Reader::sign_in(&gateway.admin).await?;
    println!("dashboard: pages on {store} with 1,000 events a second");
    let run = format!("pages{store}");
    let mut pages = Vec::new();
    tokio::select! {
        report = load(gateway.ingest, &run, &PAGES_LOAD) => {
            report?;
            anyhow::bail!("the pages took longer than the load");
        }
        looked = look_at_pages(&reader, known, &mut pages) => looked?,
    }
    for Page { path, took_ms, bytes } in pages {
        println!("  {took_ms:7.1} ms {bytes:8} bytes  {path}");
        figures.add(Figure::new(format!("{store}: {path}"), took_ms, "ms").at_most(PAGE_MS));
        figures.add(
            Figure::new(format!("{store}: {path}, with what it loads"), bytes as f64, "bytes").at_most(PAGE_BYTES),
        );
    }
    compare(gateway, &reader, store, figures).await
}

struct Page {
    path: String,
    took_ms: f64,
    bytes: usize,
}

async fn look_at_pages(reader: &Reader, known: &Known, pages: &mut Vec<Page>) -> Result<()> {
    for path in paths(known) {
        let (mut took, mut html) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            tokio::time::sleep(READING).await;
            let began = Instant::now();
            let answer = reader.get(&path).await?;
            took.push(began.elapsed().as_secs_f64() * 1e3);
            ensure!(answer.status == 200, "{path} answers {}", answer.status);
            html = answer.body;
        }
        took.sort_unstable_by(f64::total_cmp);
        let bytes = html.len() + reader.loaded_bytes(&html).await?;
        let shown = path.replace(&known.event().to_string(), "…");
        pages.push(Page { path: shown, took_ms: took[ROUNDS - 2], bytes });
    }
    Ok(())
}

fn paths(known: &Known) -> Vec<String> {
    let overviews = ["1h", "24h", "7d", "30d"].map(|range| format!("/?range={range}"));
    let others = [
        "/events",
        "/events?range=30d&type=charge.*&state=dead",
        "/events?range=30d&destination=archive",
        "/events/live",
        "/dead-letters",
        "/dead-letters?destination=sink",
        "/rejected",
        "/destinations",
        "/destinations/sink",
        "/sources",
        "/sources/stripe",
        "/routes",
        "/publishing",
        "/publishing/queues",
        "/publishing/schedules",
        "/jobs",
        "/settings/alerts",
        "/settings/audit",
        "/settings/config",
        "/settings/nodes",
        "/settings/store",
    ];
    let others = others.into_iter().map(str::to_owned);
    overviews.into_iter().chain(others).chain([format!("/events/{}", known.event())]).collect()
}

/// Loads in turns, with nobody looking and with somebody: what counts is the middle of the pairs' ratios.
async fn compare(gateway: &Running, reader: &Reader, store: &str, figures: &mut Figures) -> Result<()> {
    let (mut p50, mut p99) = (Vec::new(), Vec::new());
    for pair in 1..=PAIRS {
        println!("dashboard: pair {pair} of {PAIRS} on {store}");
        let alone = load(gateway.ingest, &format!("alone{store}{pair}"), &PAIR_LOAD).await?;
        let open = Open::begin(reader);
        let beside = load(gateway.ingest, &format!("beside{store}{pair}"), &PAIR_LOAD).await?;
        open.end().await?;
        for report in [&alone, &beside] {
            ensure!(report.answered(200) == 15_000, "not all was answered: {:?}", report.answers);
        }
        println!("  alone: {}; beside: {}", alone.latency, beside.latency);
        let ratio = |of: fn(&Report) -> u32| f64::from(of(&beside)) / f64::from(of(&alone).max(1));
        p50.push(ratio(|report| report.latency.p50_us));
        p99.push(ratio(|report| report.latency.p99_us));
    }
    figures
        .add(Figure::new(format!("{store}: answer p50, looked at / left alone"), median(p50), "").at_most(P50_RATIO));
    figures
        .add(Figure::new(format!("{store}: answer p99, looked at / left alone"), median(p99), "").at_most(P99_RATIO));
    Ok(())
}

/// Somebody with the overview open, and the live view in another tab.
struct Open {
    tasks: JoinSet<Result<()>>,
    stop: Arc<AtomicBool>,
    seen: Arc<AtomicU64>,
}

impl Open {
    fn begin(reader: &Reader) -> Self {
        let (stop, seen) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(reader.clone(), seen.clone()));
        let (reader, until) = (reader.clone(), stop.clone());
        tasks.spawn(async move {
            let mut ticks = tokio::time::interval(REFRESH);
            while !until.load(Ordering::Relaxed) {
                ticks.tick().await;
                ensure!(reader.get("/").await?.status == 200, "the overview is refused");
            }
            Ok(())
        });
        Open { tasks, stop, seen }
    }

    async fn end(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        // The one who follows does so for ever; what has ended by now did not go well.
        while let Some(ended) = self.tasks.try_join_next() {
            ended??;
        }
        self.tasks.shutdown().await;
        let seen = self.seen.load(Ordering::Relaxed);
        ensure!(seen >= SEEN_MIN, "the live view showed {seen} events");
        Ok(())
    }
}

/// Reads what the live view reads, for ever, and counts the messages in it.
async fn follow(Reader { admin, cookie }: Reader, seen: Arc<AtomicU64>) -> Result<()> {
    let mut stream = TcpStream::connect(admin.address).await?;
    let bytes = request("GET", &admin.address.to_string(), LIVE, &[("cookie".to_owned(), cookie)], b"");
    stream.write_all(&bytes).await?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = stream.read(&mut buffer).await?;
        ensure!(read > 0, "the stream has ended");
        let events = buffer[..read].windows(6).filter(|window| window == b"\ndata:").count();
        seen.fetch_add(events as u64, Ordering::Relaxed);
    }
}

/// A browser that is signed in.
#[derive(Clone, Debug)]
struct Reader {
    admin: Admin,
    cookie: String,
}

impl Reader {
    async fn sign_in(admin: &Admin) -> Result<Self> {
        let form = format!("token={}", admin.token);
        let kind = ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        let answer = exchange(admin, "POST", "/sign-in", &[kind], form.as_bytes()).await?;
        ensure!(answer.status == 303, "signing in answers {}", answer.status);
        let cookie =
            answer.header("set-cookie").and_then(|set| set.split(';').next()).context("there is no session")?;
        Ok(Reader { admin: admin.clone(), cookie: cookie.to_owned() })
    }

    async fn get(&self, path: &str) -> Result<Answer> {
        exchange(&self.admin, "GET", path, &[("cookie".to_owned(), self.cookie.clone())], b"").await
    }

    /// Of all scripts, styles and pictures that a page names, as they are sent.
    async fn loaded_bytes(&self, html: &[u8]) -> Result<usize> {
        let html = String::from_utf8_lossy(html);
        let links: BTreeSet<&str> = html.split('"').filter(|part| part.starts_with("/assets/")).collect();
        ensure!(!links.is_empty(), "a page without a style:\n{html}");
        let mut bytes = 0;
        for link in links {
            let answer = self.get(link).await?;
            ensure!(answer.status == 200, "{link} answers {}", answer.status);
            bytes += answer.body.len();
        }
        Ok(bytes)
    }
}

async fn exchange(
    admin: &Admin,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Answer> {
    let bytes = request(method, &admin.address.to_string(), path, headers, body);
    let exchange = async { Connection::open(admin.address).await?.exchange(&bytes).await };
    let answer = tokio::time::timeout(PATIENCE, exchange).await.with_context(|| format!("{path}: no answer"))?;
    answer.with_context(|| format!("{path}: unreadable answer"))
}
