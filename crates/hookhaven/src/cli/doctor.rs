//! `hookhaven doctor`: is anything in the data directory damaged, and what does that cost? Looks at every
//! byte of the journal and at the index, and changes nothing.
//!
//! What is examined how is the store's (`embedded::doctor`); here it is put in words.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use hookhaven_core::DeliveryState;
use hookhaven_store::embedded::{
    disk::ReadOnlyDisk,
    doctor::{self, Finding, IndexState, KnownDelivery, KnownEvent, Report},
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{
    Context, DONE, FAILED, UsageError,
    args::DoctorArgs,
    print::{clean, count},
    settings::Settings,
};

pub async fn run(_: DoctorArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let dir = data_dir(context)?;
    let (looked_at, bar) = (dir.clone(), progress("looking at", context.terminal));
    let look = move || {
        let report = doctor::examine(Arc::new(ReadOnlyDisk), &looked_at, |done, of| {
            bar.set_length(of);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        report
    };
    // 1 says that there is damage, so what keeps us from looking is told by another number.
    let report = tokio::task::spawn_blocking(look).await?.map_err(|e| UsageError(e.to_string()))?;
    if context.json {
        println!("{}", serde_json::to_string_pretty(&as_json(&report))?);
    } else {
        print!("{}: {}", dir.display(), text(&report));
    }
    Ok(ExitCode::from(if report.is_sound() { DONE } else { FAILED }))
}

/// The data directory that the command line points at. It need not be on good terms with the rest of the
/// configuration.
pub(super) fn data_dir(context: &Context) -> anyhow::Result<PathBuf> {
    if let Some(dir) = &context.data_dir {
        return Ok(dir.clone());
    }
    let found = Settings::read(context)?.data_dir;
    let none = "this command looks into a data directory, and the store has none: store.url is \"memory:\", or a \
                database, which has tools of its own";
    found.ok_or_else(|| UsageError(none.to_owned()).into())
}

pub(super) fn progress(what: &'static str, terminal: bool) -> ProgressBar {
    let bar = if terminal { ProgressBar::new(0) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template(&format!("{what} the journal {{bar:30}} {{bytes}} of {{total_bytes}}"));
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn text(report: &Report) -> String {
    let mut text = match (report.is_sound(), report.findings.len() as u64 + report.findings_more) {
        (true, _) => "sound\n".to_owned(),
        (false, 0) => "the index is damaged, the journal is not\n".to_owned(),
        (false, n) => format!("the journal is damaged in {}\n", count(n, "place")),
    };
    let Report { segments, frames, events, .. } = report;
    text.push_str(&format!(
        "  {}, {}, {} that can be read\n",
        count(*segments, "segment"),
        count(*frames, "frame"),
        count(*events, "event")
    ));
    if let Some(torn) = &report.unfinished {
        text.push_str(&format!(
            "  segment {} ends in {} of an unfinished batch: nobody was told that it was stored, and the next start \
             cuts it off\n",
            torn.segment,
            count(torn.bytes, "byte")
        ));
    }
    text.push_str(&index(&report.index));
    report.findings.iter().for_each(|found| text.push_str(&finding(found)));
    if report.findings_more > 0 {
        text.push_str(&format!("\n… and {} more damaged places\n", report.findings_more));
    }
    if !report.findings.is_empty() {
        text.push_str("\nEverything else can be read; the gateway starts and goes around what is damaged.\n");
    }
    text
}

fn index(index: &IndexState) -> String {
    match index {
        IndexState::Absent => "  no index: the next start makes it from the journal\n".to_owned(),
        IndexState::Unreadable(why) => format!(
            "  {}\n  nothing is lost by that: the next start, or `hookhaven reindex`, makes it again from the journal\n",
            clean(why)
        ),
        IndexState::Read(facts) => {
            let mut text = format!("  the index knows {}", count(facts.events, "event"));
            if facts.behind_frames > 0 {
                text.push_str(&format!(", and has {} still to take in", count(facts.behind_frames, "frame")));
            }
            text.push('\n');
            if facts.missing > 0 {
                let events = count(facts.missing, "event");
                text.push_str(&format!("  it lacks {events} of the journal: run `hookhaven reindex`\n"));
            }
            for complaint in &facts.complaints {
                text.push_str(&format!("  it is damaged, run `hookhaven reindex`: {}\n", clean(complaint)));
            }
            text
        }
    }
}

fn finding(found: &Finding) -> String {
    let damage = &found.damage;
    let mut text = format!("\nsegment {}, byte {}: ", damage.segment, damage.offset);
    text.push_str(&match damage.bytes {
        0 => "not there".to_owned(),
        bytes => format!("{} cannot be read", count(bytes, "byte")),
    });
    if !damage.held.is_empty() {
        text.push_str(&format!(" ({})", damage.held.join(", ")));
    }
    text.push('\n');
    for KnownEvent { id, source, event_type, body_bytes, deliveries } in &found.events {
        let (source, event_type) = (clean(source), clean(event_type));
        let bytes = count(*body_bytes, "byte");
        text.push_str(&format!("  lost: the body and headers of {id}, {source} {event_type}, {bytes}\n"));
        for KnownDelivery { id, destination, state } in deliveries {
            text.push_str(&format!("    {id} to {}: {}\n", clean(destination), fate(*state)));
        }
    }
    if found.events_more > 0 {
        text.push_str(&format!("  lost: the bodies of {} more\n", count(found.events_more, "event")));
    }
    if found.attempts > 0 {
        let attempts = count(found.attempts, "attempt");
        text.push_str(&format!("  lost: the answers to {attempts}; the index still knows how they ended\n"));
    }
    if found.events.is_empty() && found.attempts == 0 && damage.held.is_empty() {
        text.push_str("  what it held is not known\n");
    }
    text
}

fn fate(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Delivered => "was delivered before",
        DeliveryState::Cancelled => "was cancelled before",
        DeliveryState::Dead => "was dead before; cannot be replayed",
        DeliveryState::Pending | DeliveryState::Leased => "cannot be delivered; it will end dead (damaged)",
    }
}

fn as_json(report: &Report) -> Value {
    let findings: Vec<Value> = report.findings.iter().map(finding_json).collect();
    let index = match &report.index {
        IndexState::Absent => json!({ "state": "absent" }),
        IndexState::Unreadable(why) => json!({ "state": "unreadable", "error": why }),
        IndexState::Read(facts) => json!({
            "state": "read", "events": facts.events, "behind_frames": facts.behind_frames,
            "missing_events": facts.missing, "complaints": facts.complaints,
        }),
    };
    json!({
        "sound": report.is_sound(),
        "segments": report.segments,
        "journal_bytes": report.journal_bytes,
        "frames": report.frames,
        "events": report.events,
        "damages": findings,
        "damages_more": report.findings_more,
        "unfinished": report.unfinished.as_ref().map(|torn| json!({
            "segment": torn.segment, "offset": torn.offset, "bytes": torn.bytes,
        })),
        "index": index,
    })
}

fn finding_json(found: &Finding) -> Value {
    let delivery = |d: &KnownDelivery| json!({ "id": d.id, "destination": d.destination, "state": d.state.as_str() });
    let event = |e: &KnownEvent| {
        let deliveries: Vec<Value> = e.deliveries.iter().map(delivery).collect();
        json!({
            "id": e.id, "source": e.source, "type": e.event_type, "body_bytes": e.body_bytes, "deliveries": deliveries,
        })
    };
    json!({
        "segment": found.damage.segment,
        "offset": found.damage.offset,
        "bytes": found.damage.bytes,
        "held": found.damage.held,
        "events": found.events.iter().map(event).collect::<Vec<_>>(),
        "events_more": found.events_more,
        "attempts": found.attempts,
    })
}
