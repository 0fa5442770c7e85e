//! Ticks: each schedule's next one is waited for on the clock, and becomes a message (one for each endpoint of a
//! group) when it comes.
//!
//! Every worker node runs this. A tick is an accept whose key names the schedule and the time, so on however
//! many nodes it happens once. The key is remembered for as long as that tick could be taken for a missed one: until
//! the next tick has come, and a day more. After a time without any node only the latest missed tick of a
//! schedule is made up, and none from before it was made, changed or resumed.
//!
//! Not here: what a schedule is (`book`), when it ticks (`hookhaven_core::cron`).

use std::{collections::HashMap, sync::Arc, time::Duration};

use hookhaven_core::{Time, cron::Cron, event::PUBLISHED};
use hookhaven_store::{
    Accepted, NewEvent, Store, StoreError,
    clock::{Clock, Entropy},
};
use tokio_util::sync::CancellationToken;

use super::{
    book::{Book, Schedule, Tick},
    compose::{self, Draft, Ids, Occasion, Sent, Target},
    destination::{self, Destination},
    ids, lines,
    message::schedule_line,
    settings::Settings,
};

/// How long a tick's key outlives the tick that follows it.
const KEY_GRACE: Duration = Duration::from_secs(86_400);
/// A key of a schedule whose next tick lies beyond five years.
const KEY_MAX: Duration = Duration::from_secs(5 * 366 * 86_400);
/// Between tries of an accept that failed.
const AGAIN: Duration = Duration::from_secs(1);
/// What no store's notification tells of is seen then.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Missed ticks that are counted.
const MISSED_MAX: usize = 1_000;
/// Ticks stored in one accept.
const TICKS_MAX: usize = 100;

#[derive(Clone, Debug)]
pub struct SchedulerParts {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub book: Arc<Book>,
}

#[derive(Debug)]
pub struct Scheduler {
    parts: SchedulerParts,
    /// The last tick of each schedule that was made, so that it is not asked for again.
    ticked: HashMap<String, Time>,
    /// Parsed, by text.
    crons: HashMap<String, Arc<Cron>>,
}

/// A tick that has come.
#[derive(Debug)]
struct Come {
    id: String,
    schedule: Arc<Schedule>,
    at: Time,
    key_until: Time,
}

impl Scheduler {
    pub fn new(parts: SchedulerParts) -> Self {
        Scheduler { parts, ticked: HashMap::new(), crons: HashMap::new() }
    }

    /// Until `stop`. An accept under way is finished first.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.parts.book.changes();
        while !stop.is_cancelled() {
            changes.mark_unchanged();
            let now = self.parts.clock.now();
            let wake_at = match self.tick(now).await {
                Ok(next) => next.unwrap_or(Time::MAX).min(now.plus(LOOK_AGAIN)),
                Err(error) => {
                    tracing::warn!(%error, "ticks of schedules could not be stored; trying again");
                    now.plus(AGAIN)
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                _ = changes.changed() => {}
                () = self.parts.clock.sleep_until(wake_at) => {}
            }
        }
    }

    /// Makes the ticks that have come by `now`. Answers when the next one comes.
    pub async fn tick(&mut self, now: Time) -> Result<Option<Time>, StoreError> {
        let schedules = self.parts.book.schedules.all();
        self.ticked.retain(|id, _| schedules.iter().any(|(other, _)| other == id));
        let (mut come, mut next) = (Vec::new(), None::<Time>);
        for (id, schedule) in schedules {
            let Some(cron) = self.cron(&schedule.cron) else { continue };
            let after = cron.next_after(now);
            next = after.into_iter().chain(next).min();
            let latest = cron.latest_until(now).filter(|at| *at > schedule.armed_at);
            let Some(at) = latest.filter(|at| self.ticked.get(&id) != Some(at)) else { continue };
            if schedule.paused {
                continue;
            }
            let key_until = after.map_or(now.plus(KEY_MAX), |after| after.plus(KEY_GRACE));
            come.push(Come { id, schedule, at, key_until });
        }
        for come in come.chunks(TICKS_MAX) {
            self.make(come, now).await?;
        }
        Ok(next)
    }

    async fn make(&mut self, come: &[Come], now: Time) -> Result<(), StoreError> {
        let (mut events, mut made) = (Vec::new(), Vec::new());
        let entropy = self.parts.entropy.clone();
        let mut ids = Ids::new(now, &*entropy);
        for come in come {
            match self.events(come, now, &mut ids) {
                Ok(new) => {
                    made.push((come, new.iter().map(Sent::from).collect::<Vec<_>>()));
                    events.extend(new);
                }
                Err(why) => self.note(come, Vec::new(), Some(why)).await?,
            }
        }
        let accepted = self.parts.store.accept(events).await?;
        let mut accepted = accepted.iter();
        for (come, sent) in made {
            let mut messages = Vec::new();
            for sent in sent {
                if accepted.next() == Some(&Accepted::New { twin: None }) {
                    messages.extend(sent.deliveries.iter().map(|(id, _)| ids::message(*id)));
                }
            }
            // Another node made it, and noted it.
            if !messages.is_empty() {
                tracing::info!(source = PUBLISHED, schedule = come.id, at = %come.at, messages = messages.len(), "tick");
                self.note(come, messages, None).await?;
            }
            self.ticked.insert(come.id.clone(), come.at);
        }
        Ok(())
    }

    /// What a tick publishes, or why it cannot.
    fn events(&self, come: &Come, now: Time, ids: &mut Ids<'_>) -> Result<Vec<NewEvent>, String> {
        let schedule = &come.schedule;
        let target = match destination::parse(&schedule.destination).map_err(|why| why.text)? {
            Destination::Url(url) => Target::Url(url),
            Destination::Group(name) => match self.parts.book.groups.get(&name) {
                Some(group) => Target::Group { name, group },
                None => return Err(format!("the url group {name} does not exist")),
            },
        };
        let mut lines = schedule.lines.0.clone();
        if let Target::Group { group, .. } = &target {
            lines::add_defaults(&mut lines, &group.defaults.0);
        }
        lines.push(schedule_line(&come.id));
        let settings = Settings::parse(&lines).map_err(|why| why.text)?;
        let key = tick_key(&come.id, come.at);
        let occasion = Occasion {
            now,
            caller: schedule.caller.as_str().into(),
            correlation_id: key.as_str().into(),
            // Its key is the tick's.
            dedupe_window: Duration::ZERO,
            key: Some((key.into(), come.key_until)),
            trace: None,
        };
        let queue = settings.queue.clone();
        Ok(compose::events(Draft { target, lines, settings, queue, body: schedule.body.clone() }, &occasion, ids))
    }

    async fn note(&mut self, come: &Come, messages: Vec<String>, error: Option<String>) -> Result<(), StoreError> {
        let missed = self.missed(come);
        let tick = Tick { at: come.at, messages, error, missed };
        self.ticked.insert(come.id.clone(), come.at);
        self.parts.book.ticks.change(&*self.parts.store, &come.id, |_| Ok::<_, StoreError>(Some(tick))).await
    }

    /// How many ticks nobody made between the one before, or when the schedule was armed, and this one.
    fn missed(&mut self, come: &Come) -> u32 {
        let Some(cron) = self.cron(&come.schedule.cron) else { return 0 };
        let before = self.parts.book.ticks.get(&come.id).map_or(Time::EPOCH, |tick| tick.at);
        let ticks =
            std::iter::successors(cron.next_after(before.max(come.schedule.armed_at)), |at| cron.next_after(*at));
        ticks.take(MISSED_MAX).take_while(|at| *at < come.at).fold(0, |missed, _| missed + 1)
    }

    fn cron(&mut self, text: &str) -> Option<Arc<Cron>> {
        if let Some(cron) = self.crons.get(text) {
            return Some(cron.clone());
        }
        let cron = Arc::new(Cron::parse(text).ok()?);
        self.crons.insert(text.to_owned(), cron.clone());
        Some(cron)
    }
}

/// By which a tick happens once, on however many nodes.
pub(super) fn tick_key(schedule: &str, at: Time) -> String {
    format!("tick:{schedule}:{}", at.as_s())
}
