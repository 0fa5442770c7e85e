//! The worked intake's set-up at its own peak: the busiest hour with its burst, compressed into two minutes, as
//! `hookhaven trigger --profile` sends it; and the same with ten times the burst. Whether every delivery ends within its
//! deadline, and whether anything is lost. The gateway runs on the file that the architect writes, as it stands but for
//! its ports.
//!
//! Compressed, everything comes so many times as often, and limits that are right for the real hour would be the limits
//! of another set-up. So the architect designs for the compressed volume: rates and concurrency follow from that,
//! deadlines stay what they are. The third part says what ten times the burst does to a set-up that was designed for
//! the burst as it is: late is allowed there, and refused for the sender to come again, lost is not.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use hookhaven_architect::{
    Plan, config,
    design::load::burst_of,
    intake::{Burst, Given, Intake, read},
};
use hookhaven_load::{
    gateway::{Home, Running},
    written,
};
use serde_json::Value;

use super::{Bench, Figure, Figures};
use crate::process::Server;

const INTAKE: &str = include_str!("../../../crates/hookhaven-architect/tests/intakes/worked.toml");
const HOUR: Duration = Duration::from_secs(3_600);
const PASSES_IN: Duration = Duration::from_secs(120);
/// Of every source and handler.
const SECRET: &str = "whsec_b25seSBmb3IgdGhlIGJlbmNoLCAyNCBieXRlcw==";

pub async fn run(bench: &Bench) -> Result<Figures> {
    let read = read(Path::new("worked.toml"), INTAKE, &Given::default());
    let intake = read.intake.context("the worked intake is not whole")?;
    let mut figures = Figures::default();
    for (name, designed_for, sent, is_too_much) in [
        ("as it says", 1, 1, false),
        ("10x burst, designed for it", 10, 10, false),
        ("10x burst, designed for 1x", 1, 10, true),
    ] {
        println!("profile: {name}");
        let report = part(bench, &intake, designed_for, sent).await.with_context(|| name.to_owned())?;
        add(&mut figures, name, &report, is_too_much)?;
    }
    Ok(figures)
}

/// One hour; what `trigger` reports.
async fn part(bench: &Bench, intake: &Intake, designed_for: u32, sent: u32) -> Result<Value> {
    let sink = Server::start(&["sink"]).await?;
    let directory = bench.directory()?;
    let mut intake = compressed(intake, HOUR.as_secs_f64() / PASSES_IN.as_secs_f64(), designed_for);
    intake.infrastructure.handler_url = format!("http://{}", sink.address);
    let text = set_up(intake)?;
    let environment = written::variables(&text).into_iter().map(|name| (name, SECRET.to_owned())).collect();
    let home = Home { environment, ..Home::new(bench.gateway.clone(), directory.path().to_owned()) };
    home.write_config(&text)?;
    let file = directory.path().join("intake.toml");
    std::fs::write(&file, INTAKE)?;
    let gateway = home.serve().await?;
    let report = trigger(&home, &gateway, &file, sent).await;
    gateway.kill().await?;
    sink.end().await?;
    report
}

async fn trigger(home: &Home, gateway: &Running, file: &Path, burst: u32) -> Result<Value> {
    let (to, url) = (gateway.ingest.to_string(), format!("http://{}", gateway.admin.address));
    let (passes_in, burst) = (format!("{}s", PASSES_IN.as_secs()), format!("{burst}x"));
    let mut command = home.command(&["trigger"]);
    command
        .arg("--profile")
        .arg(file)
        .args(["--for", &passes_in, "--burst", &burst, "--seed", "1", "--follow", "--json"]);
    let output = command.args(["--to", &to, "--url", &url, "--token", &gateway.admin.token]).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    println!("{}", said.trim_end());
    serde_json::from_slice(&output.stdout).with_context(|| format!("trigger ended with {}", output.status))
}

/// What the same team would have answered if its hour had passed so fast, and its burst were so many times as large.
fn compressed(intake: &Intake, speed: f64, burst_times: u32) -> Intake {
    let mut intake = intake.clone();
    for sender in &mut intake.senders {
        let Burst { events, within } = burst_of(sender);
        let volume = &mut sender.volume;
        volume.per_day = (volume.per_day as f64 * speed) as u64;
        volume.peak_day = (volume.peak_day as f64 * speed) as u64;
        volume.burst = Some(Burst { events: events * u64::from(burst_times), within: within.div_f64(speed) });
    }
    intake
}

/// The gateway's file.
fn set_up(intake: Intake) -> Result<String> {
    let file = config::files(&Plan::of(intake)).into_iter().find(|file| file.path == config::FILE);
    let text = written::on_free_ports(&file.context("the architect wrote no config file")?.text)?;
    ensure!(text.contains("url = \"file:"), "the architect chose another store than the one that is measured");
    Ok(text)
}

fn add(figures: &mut Figures, name: &str, report: &Value, is_too_much: bool) -> Result<()> {
    let number = |place: &str| {
        report.pointer(place).and_then(Value::as_u64).with_context(|| format!("no {place} in the report"))
    };
    let ms = |place: &str| anyhow::Ok(number(place)? as f64 / 1_000.0);
    let sent = number("/sent")?;
    ensure!(sent > 0, "nothing was sent");
    let one = |what: &str, value: f64, unit| Figure::new(format!("{name}: {what}"), value, unit);
    figures.add(one("sent", sent as f64, "events"));
    figures.add(one("unanswered", number("/unanswered")? as f64, "events").at_most(0.0));
    let refused = one("refused", (sent - number("/accepted")? - number("/unanswered")?) as f64, "events");
    figures.add(if is_too_much { refused } else { refused.at_most(0.0) });
    figures.add(one("latest after it was due", ms("/sent_late_max_us")?, "ms"));
    figures.add(one("answer p99", ms("/answers/p99_us")?, "ms"));
    figures.add(one("lost", number("/followed/lost")? as f64, "events").at_most(0.0));
    figures.add(one("unrouted", number("/followed/unrouted")? as f64, "events").at_most(0.0));
    figures.add(one("dead", number("/followed/dead")? as f64, "deliveries").at_most(0.0));
    figures.add(one("end to end p50", ms("/followed/end_to_end/p50_us")?, "ms"));
    figures.add(one("end to end p99", ms("/followed/end_to_end/p99_us")?, "ms"));
    figures.add(one("end to end max", ms("/followed/end_to_end/max_us")?, "ms"));
    let late = one("deadlines missed", number("/followed/late")? as f64, "deliveries");
    figures.add(if is_too_much { late } else { late.at_most(0.0) });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_hour_has_the_same_burst_in_less_time() {
        let intake = read(Path::new("worked.toml"), INTAKE, &Given::default()).intake.unwrap();
        let fast = compressed(&intake, 30.0, 10);
        let (before, after) = (burst_of(&intake.senders[0]), burst_of(&fast.senders[0]));
        assert_eq!((after.events, after.within * 30), (before.events * 10, before.within));
        assert_eq!(fast.senders[0].volume.peak_day, intake.senders[0].volume.peak_day * 30);
    }

    #[test]
    fn each_part_runs_on_what_the_architect_wrote_for_it() {
        let intake = read(Path::new("worked.toml"), INTAKE, &Given::default()).intake.unwrap();
        let set_ups = [1, 10].map(|times| set_up(compressed(&intake, 30.0, times)).unwrap());
        assert!(set_ups.iter().all(|text| written::variables(text).len() == 6), "{}", set_ups[0]);
        assert_ne!(set_ups[0], set_ups[1], "another burst has other limits");
    }
}
