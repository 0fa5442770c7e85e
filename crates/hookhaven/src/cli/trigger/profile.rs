//! The volumes of an intake (`hookhaven architect`) as requests: the busiest hour of the busiest day, with the burst in
//! its middle, of every sender that the config file has a source for.
//!
//! The types that the intake names come in turn; each event comes somewhere in its own slot, so that the hour is even
//! but not regular. `--speed` and `--for` compress the hour: then everything comes so many times as often, and the rates of
//! sources and destinations, which are the gateway's and not compressed, may be too low for it: that is said beforehand.
//! Not here: what an intake means (`hookhaven_architect`).

use std::{iter::Peekable, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow, bail};
use hookhaven_architect::{
    Design,
    design::load::{burst_of, of_source},
    intake::{self, Given, Intake, SenderAnswers},
};
use hookhaven_core::{Destination, Time, destination::Rate, glob::Glob, source::Source};
use hookhaven_store::clock::Entropy;

use super::{
    Stand,
    plan::{IN_FLIGHT_MAX, Plan, Row, Shot, Shuffle, What, fresh_seed},
};
use crate::{
    cli::{UsageError, args::TriggerArgs, print::span},
    config::{Config, size::print_rate},
    sample::{self, fresh_id},
};

const HOUR: Duration = Duration::from_secs(3_600);
/// Requests of one run.
const REQUESTS_MAX: u64 = 20_000_000;
/// A slow hour takes no longer.
const LENGTH_MAX: Duration = Duration::from_secs(30 * 86_400);

/// The plan, and in `told` what it is.
///
/// # Errors
/// The intake cannot be read, or its answers are not whole; the config has a source for none of its senders.
pub(super) fn plan<'a>(file: &Path, args: &TriggerArgs, stand: &Stand<'a>) -> anyhow::Result<Plan<'a>> {
    let intake = read(file)?;
    let mut told = Vec::new();
    let streams = streams(&intake, args.burst.unwrap_or(1.0), stand, &mut told)?;
    let length = streams.iter().map(|s| s.burst_within).max().unwrap_or_default().max(HOUR);
    let speed = match (args.speed, args.length) {
        (Some(speed), _) => speed,
        (None, Some(wanted)) => length.as_secs_f64() / wanted.as_secs_f64(),
        (None, None) => 1.0,
    };
    if speed * LENGTH_MAX.as_secs_f64() < length.as_secs_f64() {
        let why = format!("so slow the hour takes more than {}; 1x is as fast as it would come", span(LENGTH_MAX));
        return Err(UsageError(why).into());
    }
    let events = streams.iter().fold(0u64, |sum, s| sum.saturating_add(s.in_hour).saturating_add(s.in_burst));
    if events == 0 {
        bail!("{} says that nothing comes", file.display());
    }
    let times = 1 + args.duplicate.unwrap_or(0);
    let total = events.saturating_mul(u64::from(times));
    anyhow::ensure!(total <= REQUESTS_MAX, "{total} requests are too many for one run; {REQUESTS_MAX} are the most");
    let seed = args.seed.unwrap_or_else(|| fresh_seed(stand.entropy));
    let mut said = vec![format!(
        "The busiest hour of {}, {speed:.1} times as fast: {events} events in {}, by --seed {seed}.",
        file.display(),
        span(length.div_f64(speed)),
    )];
    said.extend(streams.iter().map(|stream| stream.words(length, speed)));
    said.append(&mut told);
    said.extend(too_slow(&streams, times, length, speed, stand.config));
    let shots = Shots { streams, times, length, speed, seed };
    let rows = Box::new(shots.rows(stand.entropy));
    Ok(Plan { total, events, rows, in_flight: IN_FLIGHT_MAX, is_mixed: true, told: said })
}

fn read(file: &Path) -> anyhow::Result<Intake> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let read = intake::read(file, &text, &Given::default());
    if let Some(intake) = read.intake {
        return Ok(intake);
    }
    let missing = read
        .missing
        .iter()
        .map(|question| format!("{}: {} ({})", file.display(), question.ask, question.example_line()));
    let problems: Vec<String> = read.problems.iter().map(ToString::to_string).chain(missing).collect();
    Err(UsageError(format!("no whole intake:\n{}", problems.join("\n"))).into())
}

/// What one source gets.
struct Stream {
    source: Arc<Source>,
    types: Vec<Arc<str>>,
    in_hour: u64,
    in_burst: u64,
    burst_within: Duration,
}

fn streams(intake: &Intake, burst: f64, stand: &Stand<'_>, told: &mut Vec<String>) -> anyhow::Result<Vec<Stream>> {
    let (design, mut streams) = (Design::of(intake), Vec::new());
    for sender in &intake.senders {
        let Some(source) = source_of(sender, stand.config) else {
            told.push(format!("  {}: left out, for the config file has no source of it", sender.name));
            continue;
        };
        // As they arrive: what a team names (Slack's `message.channels`) may come under another name.
        let arriving: Vec<String> =
            design.routes_of(&sender.name).flat_map(|route| route.events.iter().cloned()).collect();
        let (types, why) = types(&arriving, source, stand.clock.now());
        if types.is_empty() {
            told.push(format!("  {}: left out: {why}", sender.name));
            continue;
        }
        let worst = burst_of(sender);
        let in_hour = (of_source(sender).peak * HOUR.as_secs_f64()).round() as u64;
        let in_burst = (worst.events as f64 * burst).round() as u64;
        streams.push(Stream { source: source.clone(), types, in_hour, in_burst, burst_within: worst.within });
    }
    if streams.is_empty() {
        return Err(anyhow!("nothing of the intake can be sent:\n{}", told.join("\n")));
    }
    Ok(streams)
}

/// By its name, else the only one of that sender.
fn source_of<'c>(sender: &SenderAnswers, config: &'c Config) -> Option<&'c Arc<Source>> {
    config.sources.get(&*sender.name).or_else(|| {
        let known = sender.sender?.name;
        let mut all = config.sources.values().filter(|source| source.sender.name() == known);
        all.next().filter(|_| all.next().is_none())
    })
}

/// Those of what arrives that can be sent; if there are none, why the last of them cannot.
fn types(arriving: &[String], source: &Source, now: Time) -> (Vec<Arc<str>>, String) {
    let samples = source.sender.sample_types();
    let of_glob = |glob: &String| -> Vec<String> {
        let Ok(pattern) = Glob::parse(glob) else { return vec![glob.clone()] };
        match glob.contains('*') {
            false => vec![glob.clone()],
            true if samples.iter().any(|name| pattern.matches(name)) => {
                samples.iter().filter(|name| pattern.matches(name)).map(|name| (*name).to_owned()).collect()
            }
            true => vec![glob.replace('*', "sample")],
        }
    };
    let named: Vec<String> = arriving.iter().flat_map(of_glob).collect();
    let mut why = "it has no types".to_owned();
    let mut can_be_sent = |name: &String| match sample::signed(source, name, "evt_trial", None, now) {
        Ok(signed) => sample::becomes_event(source, &signed),
        Err(error) => {
            why = error.to_string();
            false
        }
    };
    let types = named.iter().filter(|name| can_be_sent(name)).map(|name| name.as_str().into()).collect();
    (types, why)
}

/// A line for each source and each destination whose `rate` is less than what comes in the middle of the burst.
fn too_slow(streams: &[Stream], times: u32, length: Duration, speed: f64, config: &Config) -> Vec<String> {
    let exceeds = |per_second: f64, rate: Rate| per_second > f64::from(rate.count.get()) / rate.per.as_secs_f64();
    let refuses = |stream: &Stream| {
        let (name, comes) = (&stream.source.name, stream.worst(length, speed) * f64::from(times));
        let rate = stream.source.rate.filter(|rate| exceeds(comes, *rate))?;
        Some(format!("  {name}: {comes:.1}/s at the worst; its rate of {} refuses what is more", print_rate(&rate)))
    };
    let share = |stream: &Stream, to: &Arc<str>| {
        let goes = |event_type: &Arc<str>| {
            config.routes.iter().any(|r| r.takes_type(&stream.source.name, event_type) && r.to.contains(to))
        };
        stream.types.iter().filter(|event_type| goes(event_type)).count() as f64 / stream.types.len() as f64
    };
    let waits = |to: &Arc<Destination>| {
        let comes: f64 = streams.iter().map(|stream| stream.worst(length, speed) * share(stream, &to.name)).sum();
        let rate = print_rate(&to.rate.filter(|rate| exceeds(comes, *rate))?);
        Some(format!("  {}: {comes:.1}/s at the worst; its rate of {rate} lets what is more wait", to.name))
    };
    streams.iter().filter_map(refuses).chain(config.destinations.values().filter_map(waits)).collect()
}

impl Stream {
    /// Events a second in the middle of its burst.
    fn worst(&self, length: Duration, speed: f64) -> f64 {
        (per_second(self.in_hour, length) + per_second(self.in_burst, self.burst_within)) * speed
    }

    fn words(&self, length: Duration, speed: f64) -> String {
        let Stream { source, types, in_hour, in_burst, burst_within } = self;
        let burst = match in_burst {
            0 => "no burst".to_owned(),
            n => {
                let rate = per_second(*n, *burst_within) * speed;
                format!("a burst of {n} within {} ({rate:.1}/s)", span(burst_within.div_f64(speed)))
            }
        };
        let steady = per_second(*in_hour, length) * speed;
        format!("  {}: {in_hour} in the hour ({steady:.1}/s), {burst}; {}", source.name, types.join(", "))
    }
}

fn per_second(events: u64, within: Duration) -> f64 {
    events as f64 / within.as_secs_f64()
}

/// All requests of all streams, in the order in which they are due.
struct Shots {
    streams: Vec<Stream>,
    times: u32,
    length: Duration,
    speed: f64,
    seed: u64,
}

impl Shots {
    fn rows(self, entropy: &dyn Entropy) -> impl Iterator<Item = Row> + use<'_> {
        let Shots { streams, times, length, speed, seed } = self;
        let mut slots: Vec<Peekable<Slots>> = Vec::new();
        for (nth, stream) in streams.iter().enumerate() {
            let begins = length.saturating_sub(stream.burst_within) / 2;
            for (part, begins, within, events) in
                [(0, Duration::ZERO, length, stream.in_hour), (1, begins, stream.burst_within, stream.in_burst)]
            {
                let chance = Shuffle::new(seed.wrapping_mul(1_000).wrapping_add(nth as u64 * 2 + part));
                slots.push(Slots { begins, within, events, next: 0, chance }.peekable());
            }
        }
        std::iter::from_fn(move || {
            let first = (0..slots.len()).filter_map(|n| Some((*slots[n].peek()?, n))).min()?;
            let ((due, nth), n) = first;
            slots[n].next();
            let stream = &streams[n / 2];
            let event_type = stream.types[nth as usize % stream.types.len()].clone();
            let what = What::Type { event_type, at: None, body: None };
            let (id, due): (Arc<str>, _) = (fresh_id(entropy).into(), due.div_f64(speed));
            let shot = |time: u32| Shot {
                source: stream.source.clone(),
                due,
                what: what.clone(),
                id: id.clone(),
                again: time > 0,
            };
            Some((0..times).map(shot).collect())
        })
    }
}

/// So many moments within a time, one in each slot of it.
struct Slots {
    begins: Duration,
    within: Duration,
    events: u64,
    next: u64,
    chance: Shuffle,
}

impl Iterator for Slots {
    /// When, and the how manieth.
    type Item = (Duration, u64);

    fn next(&mut self) -> Option<(Duration, u64)> {
        let nth = self.next;
        self.next = (nth < self.events).then_some(nth + 1)?;
        let place = (nth as f64 + self.chance.share()) / self.events as f64;
        Some((self.begins + self.within.mul_f64(place), nth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_rise_and_stay_within() {
        let slots = |seed| Slots {
            begins: Duration::from_secs(10),
            within: Duration::from_secs(5),
            events: 100,
            next: 0,
            chance: Shuffle::new(seed),
        };
        let all: Vec<_> = slots(7).collect();
        assert_eq!(all.len(), 100);
        assert!(all.is_sorted() && all[0].0 >= Duration::from_secs(10) && all[99].0 < Duration::from_secs(15));
        assert_eq!(all, slots(7).collect::<Vec<_>>());
        assert_ne!(all, slots(8).collect::<Vec<_>>());
    }
}
