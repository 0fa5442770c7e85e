//! `hookhaven senders`: which senders are known, and what each needs. The same as `docs/senders.md`, from the same
//! table.
//!
//! Not about configured sources: that is `check`.

use std::process::ExitCode;

use hookhaven_core::senders::{self, Declaration, Retries, Scheme, SenderOptions};
use hookhaven_store::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use super::{
    Context, UsageError,
    args::SendersArgs,
    print::{Colour, Screen, column},
};
use crate::config::suggest;

pub fn run(args: SendersArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let mut screen = Screen::of(context, SystemClock::start().now());
    act(&args, &mut screen)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn act(args: &SendersArgs, screen: &mut Screen) -> anyhow::Result<()> {
    match &args.name {
        Some(name) => {
            let sender = known(name)?;
            if screen.json { screen.value(&view(sender)) } else { show(sender, screen) }
        }
        None if screen.json => screen.value(&json!({ "items": all().into_iter().map(view).collect::<Vec<_>>() })),
        None => list(screen),
    }
}

fn known(name: &str) -> Result<&'static Declaration, UsageError> {
    senders::find(name).ok_or_else(|| {
        let names: Vec<&str> = senders::names().collect();
        let mend = suggest::mend(name, names.iter().copied(), "senders");
        UsageError(format!("there is no sender {name:?}; {mend}"))
    })
}

/// By name, as a person looks for one.
fn all() -> Vec<&'static Declaration> {
    let mut all: Vec<&'static Declaration> = senders::TABLE.to_vec();
    all.sort_by_key(|sender| sender.name);
    all
}

fn list(screen: &mut Screen) -> anyhow::Result<()> {
    let rows: Vec<_> = all()
        .iter()
        .map(|sender| {
            let [name, title] = [sender.name, sender.title].map(str::to_owned);
            vec![name, title, proof(sender).to_owned(), sender.unsigned_in_words(), again(sender).to_owned()]
        })
        .collect();
    screen.table(&["SENDER", "FOR", "PROOF", "NOT COVERED", "COMES AGAIN"].map(column), &rows)
}

fn proof(sender: &Declaration) -> &'static str {
    match sender.scheme {
        Scheme::Signed(_) => "signature",
        Scheme::Shared(_) => "shared secret",
        Scheme::Own { .. } => "its own",
        Scheme::Nothing => "none",
    }
}

fn again(sender: &Declaration) -> &'static str {
    match sender.about.retries {
        Retries::Unknown => "?",
        Retries::Never => "no",
        Retries::For(..) => "yes",
    }
}

fn show(sender: &'static Declaration, screen: &mut Screen) -> anyhow::Result<()> {
    let (about, conduct) = (&sender.about, &sender.conduct);
    let title = screen.paint(Colour::Bold, sender.title);
    screen.line(format!("{title}  sender = \"{}\"", sender.name))?;
    let mut lines = vec![
        ("also", sender.aliases.join(", ")),
        ("secret", about.secret.to_owned()),
        ("another one", about.rotation_in_words()),
        ("URL goes into", about.paste.to_owned()),
        ("signed", sender.scheme_in_words()),
        ("not covered", sender.unsigned_in_words()),
    ];
    lines.extend(sender.handshakes_in_words().into_iter().map(|text| ("at set-up", text)));
    lines.extend([
        ("answered", sender.answer_in_words()),
        ("waits", sender.waits_in_words()),
        ("late answers", sender.late_answers_in_words()),
        ("comes again", sender.retries_in_words()),
        ("in order", conduct.order_in_words().to_owned()),
        ("sent by hand", sender.resend_in_words()),
        ("missed ones", conduct.reconcile.to_owned()),
        ("gives up", conduct.gives_up.to_owned()),
        ("wakes people", conduct.critical_in_words()),
        ("ordered by", sender.order_key.join(", else ")),
        ("newer by", sender.version.join(", else ")),
        (
            "several in",
            sender.batch.map(|list| if list.is_empty() { "the body" } else { list }).unwrap_or_default().to_owned(),
        ),
        ("its addresses", sender.addresses_in_words()),
        ("types to try", sender.sample_types.join(", ")),
        ("chains to try", sender.chains.iter().map(|chain| chain.name).collect::<Vec<_>>().join(", ")),
    ]);
    lines.extend(about.quirks.iter().map(|quirk| ("note", (*quirk).to_owned())));
    lines.push(("see", about.docs.to_owned()));
    for (what, text) in lines.into_iter().filter(|(_, text)| !text.is_empty()) {
        let what = screen.paint(Colour::Dim, &format!("{what:>14}"));
        screen.line(format!("{what}  {}", text.replace('`', "")))?;
    }
    Ok(())
}

fn view(sender: &'static Declaration) -> Value {
    let (about, conduct) = (&sender.about, &sender.conduct);
    let window_s = match about.retries {
        Retries::Unknown => None,
        Retries::Never => Some(0),
        Retries::For(window, _) => Some(window.as_secs()),
    };
    let content_types = sender.build(&SenderOptions::default()).map(|sender| sender.content_types());
    json!({
        "name": sender.name,
        "aliases": sender.aliases,
        "title": sender.title,
        "proof": proof(sender),
        "signed": sender.scheme_in_words(),
        "not_covered": sender.unsigned_in_words(),
        "secret": about.secret,
        "rotation": about.rotation_in_words(),
        "paste": about.paste,
        "handshakes": sender.handshakes_in_words(),
        "answer": { "status": sender.answer.status, "content_type": sender.answer.content_type, "body": sender.answer.body },
        "content_types": content_types.unwrap_or_default(),
        "tolerance_s": sender.tolerance.as_secs(),
        "timeout_s": about.timeout_s,
        "user_waits": sender.user_waits(),
        "late_answers_s": sender.late_answers.map(|late| late.valid.as_secs()),
        "retry_window_s": window_s,
        "order": conduct.order_in_words(),
        "resend": conduct.resend,
        "resend_window_s": sender.resend_within().map(|within| within.as_secs()),
        "reconcile": conduct.reconcile,
        "gives_up": conduct.gives_up,
        "critical": conduct.critical,
        "id": sender.id,
        "type": sender.event_type,
        "time": sender.time,
        "order_key": sender.order_key,
        "version": sender.version,
        "batch": sender.batch,
        "addresses": sender.addresses.iter().map(|list| list.url).collect::<Vec<_>>(),
        "sample_types": sender.sample_types,
        "chains": sender.chains.iter().map(|chain| chain.name).collect::<Vec<_>>(),
        "quirks": about.quirks,
        "docs": about.docs,
    })
}

#[cfg(test)]
mod tests {
    use hookhaven_core::Time;

    use super::*;
    use crate::cli::print::capture;

    fn typed(name: Option<&str>, json: bool) -> Result<String, String> {
        let (mut screen, out, _) = capture::screen(json, None, Time::EPOCH);
        let args = SendersArgs { name: name.map(str::to_owned), json };
        act(&args, &mut screen).map_err(|error| error.to_string())?;
        Ok(out.text())
    }

    #[test]
    fn all_are_listed_and_one_is_shown() {
        let list = typed(None, false).unwrap();
        for sender in senders::TABLE {
            assert!(list.contains(sender.name) && list.contains(sender.title), "{}", sender.name);
        }
        let shown = typed(Some("facebook"), false).unwrap();
        for text in ["sender = \"meta\"", "App secret", "verify_token", "x-hub-signature-256: sha256=<hex>"] {
            assert!(shown.contains(text), "{text} in\n{shown}");
        }
        let shown = typed(Some("stripe"), false).unwrap();
        for text in ["not promised", "stripe events resend ID, for 30 days", "GET /v1/events", "charge.dispute.created"]
        {
            assert!(shown.contains(text), "{text} in\n{shown}");
        }
        assert!(typed(Some("strype"), false).unwrap_err().contains("did you mean \"stripe\"?"));
    }

    #[test]
    fn programs_get_everything() {
        let all: Value = serde_json::from_str(&typed(None, true).unwrap()).unwrap();
        assert_eq!(all["items"].as_array().map(Vec::len), Some(senders::TABLE.len()));
        let github: Value = serde_json::from_str(&typed(Some("github"), true).unwrap()).unwrap();
        assert_eq!((&github["retry_window_s"], &github["resend_window_s"]), (&json!(0), &json!(3 * 86_400)));
        assert_eq!(github["not_covered"], "the time, the id, the type");
        let stripe: Value = serde_json::from_str(&typed(Some("stripe"), true).unwrap()).unwrap();
        assert_eq!((&stripe["not_covered"], &stripe["tolerance_s"]), (&json!(""), &json!(300)));
    }
}
