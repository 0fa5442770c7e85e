//! The catalogue as a whole: what each file must say, how long it may be, and that `docs/senders.md` is made of it.
//!
//! With `HOOKHAVEN_WRITE_DOCS=1` it writes the page anew before it looks at it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::{fmt::Write, fs, path::Path};

use hookhaven_core::senders::{
    Code, Declaration, FactPlaces, Handshake, Mechanism, Retries, Rotation, Scheme, TABLE, find,
};

fn path(relative: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// Whether a sender is data and nothing else.
fn is_declarative(declaration: &Declaration) -> bool {
    let Code { needs, verify, facts, handshake, check_secret, sample, sign } = declaration.code;
    let plain = needs.is_none() && verify.is_none() && facts.is_none() && handshake.is_none();
    plain && check_secret.is_none() && sample.is_none() && sign.is_none() && declaration.name != "hmac"
}

#[test]
fn there_are_as_many_senders_as_we_say() {
    assert!(TABLE.len() >= 75, "{}", TABLE.len());
    let declarative = TABLE.iter().filter(|sender| is_declarative(sender)).count();
    assert!(declarative >= 45, "{declarative}");
}

#[test]
fn every_sender_says_what_people_need_to_know() {
    for sender in TABLE {
        let (name, about) = (sender.name, &sender.about);
        assert!(!sender.title.is_empty() && !about.secret.is_empty() && !about.paste.is_empty(), "{name}");
        let anybodys = ["hmac", "unverified", "bearer", "basic-auth", "query-token"].contains(&name);
        assert!(about.docs.starts_with("https://") || anybodys, "{name}");
        for quirk in about.quirks {
            assert!(quirk.ends_with('.') && quirk.len() <= 200, "{name}: {quirk}");
        }
        for text in [about.secret, about.paste] {
            assert!(!text.ends_with('.') && !text.contains("  "), "{name}: {text}");
        }
        assert!(sender.sample_types.first().is_some_and(|t| !t.is_empty()), "{name}");
        if let Retries::For(window, how) = about.retries {
            assert!(!window.is_zero() && !how.is_empty(), "{name}");
        }
        for list in sender.addresses {
            assert!(list.url.starts_with("https://"), "{name}: {}", list.url);
        }
        FactPlaces::parse(sender.order_key, sender.version, &[]).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn a_declarative_sender_is_one_short_file_that_says_where_its_facts_are_from() {
    let directory = path("src/senders/catalogue");
    let files = fs::read_dir(&directory).unwrap().count();
    assert_eq!(files, TABLE.len(), "one file each");
    for sender in TABLE {
        let file = directory.join(format!("{}.rs", sender.name.replace('-', "_")));
        let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        assert!(text.starts_with("//! "), "{}", sender.name);
        // The shared parts of the standard stand in its own file.
        if is_declarative(sender) && sender.name != "standard-webhooks" {
            let lines = text.lines().count() - conduct_lines(&text);
            assert!(lines < 40, "{}: {lines} lines", sender.name);
        }
        let of_nobody = sender.about.docs.is_empty();
        assert!(of_nobody || text.contains("Facts: "), "{} does not say where its facts are from", sender.name);
    }
}

/// What living with it is like is for people, and says nothing of how its requests are told from others.
fn conduct_lines(file: &str) -> usize {
    let mut block = file.lines().skip_while(|line| !line.starts_with("    conduct: Conduct {"));
    match block.next() {
        Some(begin) if !begin.ends_with("},") => 2 + block.take_while(|line| *line != "    },").count(),
        Some(_) => 1,
        None => 0,
    }
}

#[test]
fn what_living_with_a_sender_is_like_is_said_in_phrases() {
    for sender in TABLE {
        let (name, conduct) = (sender.name, &sender.conduct);
        for text in [conduct.order_in_words(), conduct.resend, conduct.reconcile, conduct.gives_up] {
            assert!(!text.ends_with('.') && !text.contains("  ") && text.len() <= 200, "{name}: {text}");
        }
        assert!(conduct.resend_within.is_none() || !conduct.resend.is_empty(), "{name}: how is it sent again?");
        let critical: std::collections::BTreeSet<_> = conduct.critical.iter().collect();
        assert_eq!(critical.len(), conduct.critical.len(), "{name}: twice");
        assert!(conduct.critical.iter().all(|t| !t.is_empty() && !t.contains('*')), "{name}");
        assert!(!conduct.stops || !conduct.gives_up.is_empty(), "{name}: when does it stop?");
        assert!(!conduct.lapses.ends_with('.'), "{name}: {}", conduct.lapses);
        for siblings in conduct.siblings {
            assert!(siblings.types.len() > 1 && siblings.instead.ends_with('.'), "{name}: {}", siblings.cause);
        }
        assert!(sender.signs_instead.is_none_or(|other| find(other).is_some_and(|s| s.name != name)), "{name}");
    }
    let known = TABLE.iter().filter(|sender| !sender.conduct.reconcile.is_empty()).count();
    assert!(known >= 55, "{known} senders say how to find out what was missed");
}

#[test]
fn how_a_secret_is_replaced_fits_how_it_proves_itself() {
    for sender in TABLE {
        let (name, rotation) = (sender.name, sender.about.rotation);
        let is_public = matches!(&sender.scheme, Scheme::Signed(spec) if !matches!(spec.by, Mechanism::Hmac(_)));
        assert!(!is_public || rotation == Rotation::Public, "{name}: nobody but the sender can sign");
        assert!(sender.code.needs.is_none() || rotation == Rotation::Public, "{name}: its keys are fetched");
        let hands_over =
            sender.handshakes.iter().any(|h| matches!(h, Handshake::SecretInHeader(_) | Handshake::SecretInBody(_)));
        assert!(!hands_over || rotation == Rotation::PerHook, "{name}: each hook is handed its own");
        assert!(sender.verifies() || rotation == Rotation::Unknown, "{name} has no secret");
        let is_made_up = ["made up", "make up"].iter().any(|words| sender.about.secret.contains(words));
        let has_one = !matches!(rotation, Rotation::Unknown);
        assert!(!is_made_up || !sender.verifies() || has_one || name == "meta", "{name}: who makes it up says so");
        let text = sender.about.rotation_in_words();
        assert!(!text.ends_with('.') && !text.contains("  ") && text.len() <= 160, "{name}: {text}");
    }
    let known = TABLE.iter().filter(|sender| sender.about.rotation != Rotation::Unknown).count();
    assert!(known >= 45, "{known} senders say how their secret is replaced");
}

/// Adding a sender is what CONTRIBUTING says it is: this very file, and no other edit.
#[test]
fn the_example_of_how_to_add_a_sender_is_one_of_the_table_whole() {
    let contributing = fs::read_to_string(path("../../CONTRIBUTING.md")).unwrap();
    let (_, section) = contributing.split_once("## Adding a sender").unwrap();
    let (_, rest) = section.split_once("```rust\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let example: String = example
        .trim_end_matches(' ')
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("   ").unwrap_or(line)))
        .collect();
    let file = fs::read_to_string(path("src/senders/catalogue/mux.rs")).unwrap();
    assert_eq!(example, file);
    assert!(file.lines().count() < 40 && is_declarative(find("mux").unwrap()));
}

#[test]
fn the_page_about_senders_is_made_of_the_table() {
    if std::env::var_os("HOOKHAVEN_WRITE_DOCS").is_some() {
        fs::write(path("../../docs/senders.md"), page()).unwrap();
    }
    let written = fs::read_to_string(path("../../docs/senders.md")).unwrap_or_default();
    let mend = "docs/senders.md is stale: HOOKHAVEN_WRITE_DOCS=1 cargo test -p hookhaven-core --test catalogue";
    assert!(written == page(), "{mend}");
}

const HEAD: &str = "\
# Senders

Made from the catalogue (`crates/hookhaven-core/src/senders/catalogue`); do not edit. `hookhaven senders` lists the same,
`hookhaven senders NAME` shows one.

Each sender is a value of `sender` in `[sources.NAME]`, and posts to `https://YOUR-HOST/webhooks/NAME`. What it verifies
with goes into `secrets`, public keys too; several while one replaces another. Not covered by the signature means:
whoever holds one request can change that and send it again.

";

const LEFT_OUT: &str = "
## What is not here, and why

- **Users of Standard Webhooks** that differ in nothing (Brex, Lithic, Render, incident.io, Recall.ai and many more) are
  `standard-webhooks`; senders with another HMAC of their own are `hmac`, described in the config file.
- **Microsoft Graph's validation tokens** (rich notifications) are not judged: they are made out for the app, which a
  source does not name. Such notifications are taken as `msgraph`, by the `clientState` of each item; what they
  encrypt is the handler's to decrypt.
- **Atlassian Connect** signs a JWT with a secret of each installation, and nothing of the body: make a hook with a
  secret instead (`jira`).
- **Convoy**, where it encodes a body anew after it signed it: there are no bytes left to judge.
- **Hook0** signs headers that each request names: no scheme of `hmac` does.
- **SendGrid Inbound Parse and Mailgun's routes** are multipart forms, the first of them unsigned: `basic-auth` or
  `query-token` stand before them.
- **HubSpot's signatures v1 and v2** and **GitHub's SHA-1 header** are weaker than
  what comes beside them, and never looked at.
- **Stripe through EventBridge or Event Grid** comes from there, without Stripe's signature.
";

fn page() -> String {
    let mut senders: Vec<&'static Declaration> = TABLE.to_vec();
    senders.sort_by_key(|sender| sender.title.to_lowercase());
    let mut text = HEAD.to_owned();
    text.push_str("| sender | for | signed by | comes again |\n|---|---|---|---|\n");
    for sender in &senders {
        let again = match sender.about.retries {
            Retries::Unknown => "?",
            Retries::Never => "no",
            Retries::For(..) => "yes",
        };
        let name = sender.name;
        writeln!(text, "| [`{name}`](#{name}) | {} | {} | {again} |", sender.title, kind(sender)).unwrap();
    }
    for sender in senders {
        section(&mut text, sender);
    }
    text.push_str(LEFT_OUT);
    text
}

fn kind(sender: &Declaration) -> &'static str {
    match sender.scheme {
        Scheme::Signed(_) => "signature",
        Scheme::Shared(_) => "shared secret",
        Scheme::Own { .. } => "its own way",
        Scheme::Nothing => "nothing",
    }
}

fn section(text: &mut String, sender: &'static Declaration) {
    let about = &sender.about;
    let aliases: Vec<String> = sender.aliases.iter().map(|alias| format!("`{alias}`")).collect();
    write!(text, "\n## {}\n\n{}", sender.name, sender.title).unwrap();
    if !aliases.is_empty() {
        write!(text, "; also written {}", aliases.join(", ")).unwrap();
    }
    text.push_str("\n\n");
    let mut line = |what: &str, value: &str| {
        if !value.is_empty() {
            writeln!(text, "- **{what}:** {value}").unwrap();
        }
    };
    line("Secret", about.secret);
    line("Paste the URL into", about.paste);
    line("Another secret", &about.rotation_in_words());
    line("Signed", &sender.scheme_in_words());
    line("Not covered", &sender.unsigned_in_words());
    for handshake in sender.handshakes_in_words() {
        line("At set-up", &handshake);
    }
    let places = |texts: &[&str]| texts.iter().map(|t| format!("`{t}`")).collect::<Vec<_>>().join(", else ");
    let by_code = sender.code.facts.is_some();
    line("Id", &if sender.id.is_empty() { "a hash of the body".to_owned() } else { places(sender.id) });
    line("Type", &places(sender.event_type));
    line("Time", &places(sender.time));
    if by_code {
        line("Further", "other kinds of its requests are read as its documentation says");
    }
    if let Some(batch) = sender.batch {
        let place = if batch.is_empty() { "the body".to_owned() } else { format!("`{batch}`") };
        line(
            "Batches",
            &format!("{place} is an array of events; several in a request have a hash of the body as their id"),
        );
    }
    line("Answered", &sender.answer_in_words());
    line("Waits", &sender.waits_in_words());
    line("Late answers", &sender.late_answers_in_words());
    line("Comes again", &sender.retries_in_words());
    line("In order", sender.conduct.order_in_words());
    line("Sent again by hand", &sender.resend_in_words());
    line("What was missed", sender.conduct.reconcile);
    line("Gives up", sender.conduct.gives_up);
    line("Wakes somebody", &sender.conduct.critical_in_words());
    line("Its addresses", &sender.addresses_in_words());
    for quirk in about.quirks {
        line("Note", quirk);
    }
    line("Documentation", &if about.docs.is_empty() { String::new() } else { format!("<{}>", about.docs) });
}
