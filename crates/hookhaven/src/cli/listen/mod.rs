//! `hookhaven listen`: brings a gateway's events to a server on this machine, which may be down, asleep or far from
//! the gateway meanwhile.
//!
//! The stream says which events there are; each is fetched whole and posted as a destination would get it. How far it
//! came is a cursor and the events behind it that are done ([`state`]); it is kept here, and the gateway knows nothing
//! of it: no delivery is made there, and no answer goes back. An answer is written down before it is shown. Not here:
//! the requests themselves ([`local`]).

mod awake;
mod local;
mod state;

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::{StreamExt, stream::FuturesUnordered};
use hookhaven_core::{
    EventId, Secret,
    event::{ALERTS, ANSWERS, PUBLISHED},
};
use hookhaven_store::clock::{Clock, Entropy, OsEntropy, SystemClock};
use serde::Deserialize;
use serde_json::json;

use self::{
    local::{Became, Local, Tries},
    state::{Progress, StateFile},
};
use super::{
    Context, DONE,
    args::ListenArgs,
    client::{Client, Query},
    follow::{Followed, Follower, Message},
    print::{Colour, Screen, clean, clean_json, millisecond, short, span},
    settings::Settings,
};
use crate::{api::view::EventView, stage::Stop};

/// Waited for the answers that are still to come when it is ended; asked to end again, it does so at once.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

pub async fn run(args: ListenArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let settings = Settings::read(context)?;
    let mut screen = Screen::of(context, clock.now());
    let client = Client::pinned(&settings.url, settings.token.clone(), settings.certificate.clone())?;
    act(args, &client, &settings.url, clock, &OsEntropy, &mut screen).await.map(ExitCode::from)
}

async fn act(
    args: ListenArgs,
    client: &Client,
    gateway: &str,
    clock: Arc<dyn Clock>,
    entropy: &dyn Entropy,
    screen: &mut Screen,
) -> anyhow::Result<u8> {
    let mut stop = Stop::listen().context("listening for Ctrl-C")?;
    let query = Query::default()
        .with("kind", Some("event"))
        .with("source", args.source.as_ref())
        .with("type", args.event_type.as_ref());
    let since = args.since.map(|since| since.resolve(screen.now).to_string());
    let (mut file, mut progress) = match args.state {
        Some(path) => StateFile::open(path, gateway).map(|(file, progress)| (Some(file), progress))?,
        None => (None, Progress::default()),
    };
    let (cursor, done) = (progress.cursor(), progress.done());
    if cursor.is_some() && since.is_some() {
        screen.remark("It goes on from where --state says; --since is for a beginning.");
    }
    let secret = match args.secret {
        Some(secret) => secret,
        None => make_secret(entropy, screen)?,
    };
    let local = Local::new(client, args.forward_to.clone(), secret, args.timeout, clock.clone())?;
    let shown = short(args.forward_to.as_str(), 200).into_owned();
    screen.remark(format!("Events of {gateway} go to {}; Ctrl-C ends it.", clean(&shown)));

    let mut follower = Follower::new(client, query, since, cursor, done);
    let mut under_way = FuturesUnordered::new();
    while !screen.unread {
        let room = under_way.len() < args.in_flight.get();
        tokio::select! {
            biased;
            () = stop.asked() => break,
            Some(done) = under_way.next(), if !under_way.is_empty() => {
                let (id, event, became): (EventId, EventView, Became) = done;
                note(id, &became, &mut progress, &mut file)?;
                report(&event, &became, screen)?;
                if let Some(tries) = became.again() {
                    // Nobody is there to take it: it is tried until somebody is.
                    under_way.push(bring(&local, id, event, tries));
                }
            }
            followed = follower.next(), if room => match followed? {
                Followed::Message(message) => {
                    if let Some((id, event)) = begin(message, &mut progress)? {
                        if let Some(file) = &mut file {
                            file.begun(id, &progress)?;
                        }
                        let tries = if progress.is_unsure(id) { Tries::unsure() } else { Tries::default() };
                        if progress.is_unsure(id) {
                            screen.remark(format!("{id} may have come before: the last listen ended while it was under way."));
                        }
                        under_way.push(bring(&local, id, event, tries));
                    }
                }
                Followed::Beat(cursor) => {
                    progress.caught_up(cursor);
                    if let Some(file) = &mut file {
                        file.caught_up(&progress)?;
                    }
                }
                Followed::Lost(why) => screen.remark(format!("The gateway is gone ({}); trying again …", clean(&why))),
                Followed::Back => screen.remark("Connected again."),
            },
        }
    }
    // What is being answered need not come again next time.
    let last = tokio::time::sleep(LAST_ANSWERS);
    tokio::pin!(last);
    loop {
        let (id, event, became) = tokio::select! {
            biased;
            () = stop.asked() => break,
            () = &mut last => break,
            done = under_way.next() => match done {
                Some(done) => done,
                None => break,
            },
        };
        note(id, &became, &mut progress, &mut file)?;
        report(&event, &became, screen)?;
    }
    Ok(DONE)
}

/// What is over is written down, before anybody hears of it.
fn note(id: EventId, became: &Became, progress: &mut Progress, file: &mut Option<StateFile>) -> anyhow::Result<()> {
    if became.again().is_some() {
        return Ok(());
    }
    progress.over(id);
    file.as_mut().map_or(Ok(()), |file| file.over(id, progress))
}

/// One try, after the pause that is due before it.
async fn bring(local: &Local<'_>, id: EventId, event: EventView, tries: Tries) -> (EventId, EventView, Became) {
    let became = local.bring(&event, tries).await;
    (id, event, became)
}

/// `None` for what is no webhook: a published message is for the address it was published to, an alert for its channel.
fn begin(message: Message, progress: &mut Progress) -> anyhow::Result<Option<(EventId, EventView)>> {
    if message.kind != "event" {
        return Ok(None);
    }
    let event = EventView::deserialize(message.data).context("the stream is not that of a gateway of this version")?;
    progress.begun(event.id, message.cursor);
    if [PUBLISHED, ANSWERS, ALERTS].contains(&&*event.source) {
        progress.over(event.id);
        return Ok(None);
    }
    Ok(Some((event.id, event)))
}

fn make_secret(entropy: &dyn Entropy, screen: &mut Screen) -> anyhow::Result<Secret> {
    let mut random = [0u8; 24];
    entropy.fill(&mut random);
    let text = format!("whsec_{}", BASE64_STANDARD.encode(random));
    screen.remark(format!("Requests are signed with {text}; give it with --secret to keep it."));
    Secret::new(text).context("no random bytes")
}

/// Prints it.
fn report(event: &EventView, became: &Became, screen: &mut Screen) -> anyhow::Result<()> {
    let EventView { id, source, event_type, .. } = event;
    match became {
        Became::Answered { status, took, at } if screen.json => {
            let said = json!({"at": at, "event": id, "source": source, "type": event_type, "status": status,
                "duration_us": u64::try_from(took.as_micros()).unwrap_or(u64::MAX)});
            screen.line(clean_json(&said.to_string()))?;
        }
        Became::Failed { why, at } | Became::Gone { why, at } if screen.json => {
            let said =
                json!({"at": at, "event": id, "source": source, "type": event_type, "status": null, "error": why});
            screen.line(clean_json(&said.to_string()))?;
        }
        Became::Answered { status, took, at } => {
            let colour = if (200..300).contains(status) { Colour::Green } else { Colour::Red };
            let status = screen.paint(colour, &status.to_string());
            let of = format!("{}  {}", clean(source), clean(&short(event_type, 60)));
            screen.line(format!("{}  {status}  {id}  {of}  in {}", millisecond(*at), span(*took)))?;
        }
        Became::Failed { why, at } | Became::Gone { why, at } => {
            let sign = screen.paint(Colour::Red, "---");
            let of = format!("{}  {}", clean(source), clean(&short(event_type, 60)));
            screen.line(format!("{}  {sign}  {id}  {of}  {}", millisecond(*at), clean(why)))?;
        }
        Became::NotThere { why, tries } => {
            if tries.in_vain == 1 {
                screen.remark(format!("{} waits: {}", id, clean(why)));
            }
        }
    }
    Ok(())
}
