//! Runs the jobs that are this node's: each in its turn, a step at a time, until told to stop.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use hookhaven_core::{JobId, Time, pace::Pace};
use hookhaven_store::{Changes, Leave, Store, StoreError};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{
    GO_PATIENCE, JobsParts,
    first::{self, First},
    kept::{self, Job, Progress, State},
    owner::{self, BEAT_EVERY, RUNNER_SILENCE_MAX},
    spec::{Act, Spec},
    step::{self, Stepped},
    walk::{Item, ROWS_MAX, Walk},
};
use crate::config::Config;

/// Done at most in one step.
const STEP_MAX: usize = 200;
/// Between two steps of a job that has a rate.
const TICK: Duration = Duration::from_millis(200);
/// Between two writings of how far a job is.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at what another has in hand, or at what cannot get on.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Of all the store's room, left for what comes in.
const LEAVE_PERCENT: u8 = 20;
/// How long a stop waits for the store to take what was reached.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Runner {
    parts: JobsParts,
    wake: Arc<Notify>,
    hands: HashMap<JobId, Hand>,
}

/// A job that this node runs.
#[derive(Debug)]
struct Hand {
    spec: Spec,
    /// Ahead of what is written.
    progress: Progress,
    pace: Pace,
    next_at: Time,
    written_at: Time,
    dirty: bool,
    /// Steps may have been taken that are not counted.
    recount: bool,
}

impl Runner {
    pub fn new(parts: JobsParts, wake: Arc<Notify>) -> Self {
        Runner { parts, wake, hands: HashMap::new() }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        let clock = self.parts.clock.clone();
        let mut changes = self.parts.store.changes();
        while !stop.is_cancelled() {
            let heard = *changes.borrow_and_update();
            let next = match self.look().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::debug!(%error, "jobs cannot get on; trying again");
                    Some(clock.now().plus(LOOK_EVERY))
                }
            };
            if next.is_some_and(|at| at <= clock.now()) {
                tokio::task::yield_now().await;
                continue;
            }
            let sleep = async {
                match next {
                    Some(at) => clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.wake.notified() => {}
                () = changed(&mut changes, heard) => {}
                () = sleep => {}
            }
        }
        let _ = tokio::time::timeout(STOP_TIMEOUT, self.let_go()).await;
    }

    /// Looks at all jobs and takes a step of each that is this node's and due. Answers when there is more to do.
    async fn look(&mut self) -> Result<Option<Time>, StoreError> {
        let jobs = kept::all(&*self.parts.store).await?;
        let mut next: Option<Time> = None;
        self.hands.retain(|id, _| jobs.iter().any(|job| job.spec.id == *id && !job.progress.state.is_final()));
        for job in jobs.into_iter().filter(|job| !job.progress.state.is_final()) {
            let active = job.is_active();
            let at = match self.is_ours(&job).await? {
                true => self.turn(&job).await?,
                false => active.then(|| self.parts.clock.now().plus(LOOK_EVERY)),
            };
            next = next.into_iter().chain(at).min();
        }
        Ok(next)
    }

    /// Whether this node runs a job; takes it, if nobody else does.
    async fn is_ours(&mut self, job: &Job) -> Result<bool, StoreError> {
        let JobsParts { store, clock, config, node, .. } = &self.parts;
        let (id, mine) = (job.spec.id, job.progress.runner.as_deref() == Some(&**node));
        let alone = !config.load().shares_store();
        let now = clock.now();
        if let Entry::Occupied(hand) = self.hands.entry(id) {
            if !mine {
                tracing::info!(job = %id, runner = job.progress.runner, "another node goes on with the job");
                hand.remove();
            }
            return Ok(mine);
        }
        let takes = mine || alone || (job.is_active() && owner::takes_over(node, job, &store.nodes().await?, now));
        if takes {
            let hand = Hand::take(job, node, now);
            kept::put_progress(&**store, id, &hand.progress).await?;
            self.hands.insert(id, hand);
        }
        Ok(takes)
    }

    /// A step of a job of ours, if it is due. Answers when the next will be.
    async fn turn(&mut self, job: &Job) -> Result<Option<Time>, StoreError> {
        let beats = self.parts.config.load().shares_store();
        let Some(hand) = self.hands.get_mut(&job.spec.id) else { return Ok(None) };
        let now = self.parts.clock.now();
        if job.wish.cancel {
            hand.end(State::Cancelled, None, now);
        } else if hand.progress.state == State::Counted && !job.wish.go {
            let counted_at = hand.progress.counted_at.unwrap_or(job.spec.asked_at);
            let patience_ends = counted_at.plus(GO_PATIENCE);
            if now < patience_ends {
                hand.write(&self.parts, now, true).await?;
                return Ok(Some(patience_ends));
            }
            hand.end(State::Cancelled, Some("nobody said go within an hour of its being counted".into()), now);
        } else if !job.wish.pause && hand.next_at <= now {
            let waits = hand.advance(&self.parts, job).await;
            let ended_at = self.parts.clock.now();
            match waits {
                Ok(waits) => hand.waits(waits),
                Err(error) => {
                    // What was done and what not shows when it is tried again.
                    hand.recount = true;
                    hand.next_at = ended_at.plus(LOOK_EVERY);
                    hand.waits(Some(error.to_string()));
                }
            }
        }
        let now = self.parts.clock.now();
        if beats && hand.was_silent(job, now) && !still_ours(&self.parts, job.spec.id).await? {
            // Another went on with it meanwhile: what was reached here is behind that by now.
            self.hands.remove(&job.spec.id);
            return Ok(Some(now));
        }
        hand.write(&self.parts, now, job.wish.pause || hand.progress.state.is_final()).await?;
        if hand.progress.state.is_final() {
            tell(&hand.spec, &hand.progress);
            self.hands.remove(&job.spec.id);
            return Ok(None);
        }
        let beat_at = beats.then(|| hand.written_at.plus(BEAT_EVERY));
        Ok((!job.wish.pause).then(|| beat_at.map_or(hand.next_at, |beat| beat.min(hand.next_at))))
    }

    /// Writes down what was reached, so that whoever comes next goes on at once.
    async fn let_go(&mut self) {
        let beats = self.parts.config.load().shares_store();
        for (id, mut hand) in self.hands.drain() {
            // Another may have gone on with it, if the last step took that long.
            if beats && !still_ours(&self.parts, id).await.unwrap_or(false) {
                continue;
            }
            hand.progress.runner = None;
            if let Err(error) = kept::put_progress(&*self.parts.store, id, &hand.progress).await {
                tracing::debug!(job = %id, %error, "how far the job is could not be written");
            }
        }
    }
}

impl Hand {
    fn take(job: &Job, node: &str, now: Time) -> Self {
        let begun = job.progress.started_at.is_some();
        let mut progress = job.progress.clone();
        progress.runner = Some(node.to_owned());
        progress.beat_at = now;
        let pace = Pace::of_bulk();
        let spec = job.spec.clone();
        Hand { spec, progress, pace, next_at: now, written_at: now, dirty: false, recount: begun }
    }

    /// Counts a page, or takes a step. Answers why it does not get on, if it does not.
    async fn advance(&mut self, parts: &JobsParts, job: &Job) -> Result<Option<String>, StoreError> {
        let before = parts.clock.now();
        if self.progress.state == State::Counting {
            self.count(parts, job.wish.go).await?;
            // As much time for others.
            let now = parts.clock.now();
            self.next_at = now.plus(now.since(before));
            return Ok(None);
        }
        if self.progress.state == State::Counted {
            self.begin(before);
        }
        if std::mem::take(&mut self.recount) && self.spec.order.act == Act::Replay {
            let made = step::made(&*parts.store, &self.spec).await;
            let (made, one) = made.inspect_err(|_| self.recount = true)?;
            self.progress.counts.done = self.progress.counts.done.max(made);
            self.progress.first = self.progress.first.or(one.filter(|_| self.spec.order.one_first));
        }
        if let Some(first) = self.progress.first.filter(|_| self.spec.order.one_first && !self.progress.first_delivered)
        {
            return self.wait_for(first, parts).await;
        }
        self.step(parts).await
    }

    async fn count(&mut self, parts: &JobsParts, go: bool) -> Result<(), StoreError> {
        let Some(walk) = self.walk() else { return Ok(()) };
        let page = walk.page(&*parts.store, &self.spec, self.progress.after.as_deref(), ROWS_MAX).await?;
        self.dirty = true;
        self.progress.matched += page.rows.iter().map(|row| row.items.len() as u64).sum::<u64>();
        self.moved(page.rows.last().map(|row| row.after.clone()), page.last);
        if self.walk().is_some() {
            return Ok(());
        }
        let now = parts.clock.now();
        match &self.spec.order {
            order if order.dry_run || self.progress.matched == 0 => self.end(State::Done, None, now),
            order if order.ask && !go => {
                self.progress.state = State::Counted;
                self.progress.counted_at = Some(now);
            }
            _ => self.begin(now),
        }
        self.written_at = Time::EPOCH;
        Ok(())
    }

    fn begin(&mut self, now: Time) {
        self.progress.state = State::Running;
        self.progress.started_at = Some(now);
        (self.progress.walk, self.progress.after) = (0, None);
        self.dirty = true;
    }

    async fn wait_for(
        &mut self,
        first: hookhaven_core::DeliveryId,
        parts: &JobsParts,
    ) -> Result<Option<String>, StoreError> {
        let row = parts.store.delivery(first).await?;
        let now = parts.clock.now();
        match first::verdict(first, row.as_ref()) {
            First::Waits => {
                self.next_at = now.plus(TICK);
                return Ok(Some(format!("for the first one, {first}, to be delivered")));
            }
            First::Delivered => {
                self.progress.first_delivered = true;
                self.dirty = true;
            }
            First::Failed(why) => self.end(State::Failed, Some(why), now),
        }
        Ok(None)
    }

    async fn step(&mut self, parts: &JobsParts) -> Result<Option<String>, StoreError> {
        let JobsParts { store, clock, config, .. } = parts;
        let Some(walk) = self.walk() else { return Ok(None) };
        let before = clock.now();
        let room = self.room(before);
        if room == 0 {
            self.next_at = self.spec.order.pace().map_or(before, |rate| self.pace.free_at(rate));
            return Ok(self.progress.waits.clone());
        }
        let config = config.load_full();
        let works = step::destination_works(&config, &self.spec);
        let ready = || store.ready(Leave::percent(LEAVE_PERCENT)).map_err(|error| error.to_string());
        let adds = self.spec.order.act == Act::Replay;
        if let Err(why) = works.and_then(|()| if adds { ready() } else { Ok(()) }) {
            self.next_at = before.plus(LOOK_EVERY);
            return Ok(Some(why));
        }
        let page = walk.page(&**store, &self.spec, self.progress.after.as_deref(), room).await?;
        let (mut items, mut after, mut taken): (Vec<Item>, _, _) = (Vec::new(), None, 0);
        for row in &page.rows {
            if !items.is_empty() && items.len() + row.items.len() > room {
                break;
            }
            items.extend(row.items.iter().cloned());
            after = Some(row.after.clone());
            taken += 1;
        }
        let (stepped, rest) = match self.waits_for_one() {
            true => first_of(&**store, &config, &self.spec, &items, before).await?,
            false => (step::act(&**store, &config, &self.spec, &items, before).await?, false),
        };
        let now = clock.now();
        self.dirty = true;
        self.counted(stepped);
        // What one went ahead of is looked at again, once that is known to have been delivered.
        if !rest {
            self.moved(after, page.last && taken == page.rows.len());
        }
        self.next_at = match self.spec.order.pace().filter(|_| !items.is_empty()) {
            Some(rate) => {
                items.iter().for_each(|_| self.pace.take(rate, before));
                self.pace.free_at(rate).max(before.plus(TICK))
            }
            // As much time for others.
            None => now.plus(now.since(before)),
        };
        if self.walk().is_none() {
            self.end(State::Done, None, now);
        }
        Ok(None)
    }

    /// Whether one is to go before all others, and was not made yet.
    fn waits_for_one(&self) -> bool {
        self.spec.order.one_first && self.progress.first.is_none()
    }

    /// How many may be done now.
    fn room(&self, now: Time) -> usize {
        let most = if self.waits_for_one() { 1 } else { STEP_MAX };
        self.spec.order.pace().map_or(most, |rate| self.pace.room(rate, now).min(most))
    }

    fn counted(&mut self, stepped: Stepped) {
        self.progress.counts.add(stepped.counts);
        if self.waits_for_one() {
            self.progress.first = stepped.first;
            // Not to be replayed before it is known to be the first.
            self.written_at = Time::EPOCH;
        }
    }

    fn walk(&self) -> Option<Walk> {
        Walk::all(&self.spec).get(self.progress.walk).copied()
    }

    fn moved(&mut self, after: Option<String>, last: bool) {
        if last {
            self.progress.walk += 1;
            self.progress.after = None;
        } else if after.is_some() {
            self.progress.after = after;
        }
    }

    fn waits(&mut self, why: Option<String>) {
        self.dirty |= self.progress.waits != why;
        self.progress.waits = why;
    }

    fn end(&mut self, state: State, error: Option<String>, now: Time) {
        self.progress.state = state;
        self.progress.error = error;
        self.progress.ended_at = Some(now);
        self.progress.waits = None;
        self.dirty = true;
    }

    /// Whether nothing was heard of it for so long that another may have taken the job.
    fn was_silent(&self, job: &Job, now: Time) -> bool {
        now.since(self.progress.beat_at.max(job.wish.at)) >= RUNNER_SILENCE_MAX
    }

    /// Writes how far it is, if it is time to.
    async fn write(&mut self, parts: &JobsParts, now: Time, at_once: bool) -> Result<(), StoreError> {
        let beats = parts.config.load().shares_store();
        let age = now.since(self.written_at);
        let due = (self.dirty && (at_once || age >= WRITE_EVERY)) || (beats && !at_once && age >= BEAT_EVERY);
        if due {
            self.progress.beat_at = now;
            kept::put_progress(&*parts.store, self.spec.id, &self.progress).await?;
            (self.dirty, self.written_at) = (false, now);
        }
        Ok(())
    }
}

/// Whether a job has not ended, and is said to be run here.
async fn still_ours(parts: &JobsParts, id: JobId) -> Result<bool, StoreError> {
    let jobs = kept::all(&*parts.store).await?;
    let ours = |job: &Job| {
        job.spec.id == id && !job.progress.state.is_final() && job.progress.runner.as_ref() == Some(&parts.node)
    };
    Ok(jobs.iter().any(ours))
}

/// Does these one after the other until the job has made a delivery; whether some are left then. An event has several
/// deliveries. What was passed over is counted when it is looked at again.
async fn first_of(
    store: &dyn Store,
    config: &Config,
    spec: &Spec,
    items: &[Item],
    now: Time,
) -> Result<(Stepped, bool), StoreError> {
    let mut passed = Stepped::default();
    for (at, item) in items.iter().enumerate() {
        let one = step::act(store, config, spec, std::slice::from_ref(item), now).await?;
        if one.first.is_some() && at + 1 < items.len() {
            return Ok((one, true));
        }
        passed.add(one);
    }
    Ok((passed, false))
}

fn tell(spec: &Spec, progress: &Progress) {
    let kept::Counts { done, already, refused, unknown } = progress.counts;
    let (matched, error) = (progress.matched, progress.error.as_deref());
    tracing::info!(
        job = %spec.id, act = %spec.order.act, state = %progress.state,
        matched, done, already, refused, unknown, error, "a job has ended"
    );
}

/// Never, once nobody can say so any more.
async fn changed(changes: &mut watch::Receiver<Changes>, heard: Changes) {
    if changes.wait_for(|changes| changes.catalog != heard.catalog).await.is_err() {
        std::future::pending().await
    }
}
