//! Findings about headers: the signature's is missing, there twice, written otherwise, or another sender's is there.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

use super::{Bench, Cause, Change, Finding};
use crate::{
    secret::Secret,
    sender::{Keys, Rejection, Request},
    senders::{self, Declaration, Scheme, SenderOptions},
};

/// Senders that take whatever is shown or described, and so look like everything.
const ANYBODY: [&str; 5] = ["hmac", "bearer", "basic-auth", "query-token", "unverified"];
/// So many lookalikes are named.
const NAMED_MAX: usize = 3;
/// What may stand before a digest.
const PREFIXES: [&str; 4] = ["sha256=", "sha1=", "v0=", "v1="];

pub(super) fn look(bench: &Bench<'_>) -> Vec<Finding> {
    let forms = forms(bench);
    if !forms.is_empty() {
        return forms;
    }
    let (source, judged) = (bench.case.source, bench.judge(Change::default()));
    let header = carrier(bench);
    let title = senders::find(source.sender.name()).map_or("the sender", |declaration| declaration.title);
    match judged {
        Err(Rejection::SignatureMissing | Rejection::TimestampMissing | Rejection::IdMissing) => {
            let missing = match judged {
                Err(Rejection::SignatureMissing) => header.unwrap_or_else(|| "the header of the signature".to_owned()),
                _ => "a header that is signed along".to_owned(),
            };
            [vec![of_other_scheme(bench, title)], vec![Some(absent(title, &missing))]]
                .concat()
                .into_iter()
                .flatten()
                .collect()
        }
        Err(Rejection::SignatureRepeated) => {
            let sentence = "A header that the signature rests on is there twice: something on the way adds its own.";
            vec![Finding::likely(
                Cause::HeaderRepeated,
                sentence,
                "let the proxy pass the sender's headers on as they came",
            )]
        }
        Err(Rejection::SignatureMalformed) => {
            let header = header.unwrap_or_else(|| "the signature".to_owned());
            let sentence =
                format!("{header} cannot be read as {title} writes it: cut off, rewritten, or of another scheme.");
            let mend =
                "compare the header with the sender's documentation, and the source's sender with who really posts";
            of_other_scheme(bench, title)
                .into_iter()
                .chain([Finding::likely(Cause::HeaderForm, sentence, mend)])
                .collect()
        }
        _ => Vec::new(),
    }
}

fn absent(title: &str, header: &str) -> Finding {
    let sentence =
        format!("{header} is missing: {title} did not send this, it has no secret set there, or a proxy drops it.");
    let mend = "look whether a secret is set at the sender, and whether the proxy lets all headers through";
    Finding::likely(Cause::HeaderMissing, sentence, mend)
}

/// Whom the request looks like, if it is somebody else.
fn of_other_scheme(bench: &Bench<'_>, title: &str) -> Option<Finding> {
    let lookalikes = lookalikes(bench);
    let shows_elsewhere = carrier(bench).as_deref() != Some(AUTHORIZATION.as_str());
    if lookalikes.is_empty() && shows_elsewhere && bench.headers.contains_key(AUTHORIZATION) {
        return Some(shows_a_token(bench, title));
    }
    let names: Vec<_> = lookalikes.iter().map(|d| format!("{} (sender = \"{}\")", d.title, d.name)).collect();
    let (last, before) = names.split_last()?;
    let names = if before.is_empty() { last.clone() } else { format!("{} or {last}", before.join(", ")) };
    let name = &bench.case.source.name;
    let sentence =
        format!("It does not look like a request of {title} but of {names}: it carries the headers of that scheme.");
    let mend =
        format!("name the right sender under [sources.{name}], with its secret; or correct the address at that sender");
    Some(Finding::likely(Cause::HeaderOfOtherScheme, sentence, mend))
}

fn shows_a_token(bench: &Bench<'_>, title: &str) -> Finding {
    let sentence = format!(
        "It is not signed as {title} signs: it shows a token or a password in Authorization instead (sender = \"bearer\" or \
         \"basic-auth\")."
    );
    let mend = format!("name the right sender under [sources.{}], with its secret", bench.case.source.name);
    Finding::likely(Cause::HeaderOfOtherScheme, sentence, mend)
}

/// Senders whose own check gets as far as the signature, those that the headers name first.
fn lookalikes(bench: &Bench<'_>) -> Vec<&'static Declaration> {
    let own = bench.sender().name();
    let others = senders::TABLE.iter().copied().filter(|d| d.name != own && !ANYBODY.contains(&d.name));
    let mut found: Vec<_> = others.filter(|d| carries_scheme_of(bench, d)).map(|d| (named(bench, d), d)).collect();
    // What anybody may have in `Authorization` tells nothing of who it is.
    found.retain(|(named, d)| *named > 0 || !shows_in_authorization(d));
    found.sort_by_key(|(named, _)| std::cmp::Reverse(*named));
    let best = found.first().map_or(0, |(named, _)| *named);
    found.into_iter().filter(|(named, _)| *named == best).map(|(_, d)| d).take(NAMED_MAX).collect()
}

fn shows_in_authorization(declaration: &'static Declaration) -> bool {
    let sender = declaration.build(&SenderOptions::default());
    sender.is_ok_and(|sender| sender.signature_header() == Some(AUTHORIZATION))
}

fn carries_scheme_of(bench: &Bench<'_>, declaration: &'static Declaration) -> bool {
    let Ok(sender) = declaration.build(&SenderOptions::default()) else { return false };
    // In base64 too, for the senders that need that; it opens nothing.
    let Some(secret) = Secret::new("bm9ib2R5") else { return false };
    let rejected = bench.case.rejected;
    let body: &[u8] = if rejected.body.is_empty() { b"{}" } else { &rejected.body };
    let request = Request {
        method: &rejected.method,
        url: Some(bench.url.as_deref().unwrap_or("https://example.com/")),
        query: rejected.query(),
        headers: &bench.headers,
        body,
    };
    let keys = Keys {
        secrets: std::slice::from_ref(&secret),
        tolerance: super::ANY_TIME,
        now: rejected.received_at,
        fetched: None,
    };
    matches!(
        sender.verify(&request, &keys),
        Err(Rejection::SignatureMismatch | Rejection::BodyHashMismatch | Rejection::KeyUnusable)
    )
}

/// How many headers hold the sender's name.
fn named(bench: &Bench<'_>, declaration: &Declaration) -> usize {
    let word = declaration.name.split('-').next().unwrap_or_default();
    let holds = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str().contains(word)
            || (name == http::header::USER_AGENT
                && value.to_str().is_ok_and(|agent| agent.to_ascii_lowercase().contains(word)))
    };
    bench.headers.iter().filter(|entry| holds(*entry)).count()
}

/// The header that carries the signature of the source's sender.
fn carrier(bench: &Bench<'_>) -> Option<String> {
    if let Some(name) = bench.sender().signature_header() {
        return Some(name.to_string());
    }
    // Senders with a scheme of their own name it first.
    match &senders::find(bench.sender().name())?.scheme {
        Scheme::Own { how, .. } => how.split('`').nth(1).map(|name| name.trim_end_matches(':').to_owned()),
        _ => None,
    }
}

/// The same digest, written otherwise.
fn forms(bench: &Bench<'_>) -> Vec<Finding> {
    let Some(name) = bench.sender().signature_header() else { return Vec::new() };
    let Some(value) = bench.headers.get(&name).and_then(|value| value.to_str().ok()) else { return Vec::new() };
    let bare = PREFIXES.iter().find_map(|prefix| value.strip_prefix(prefix)).unwrap_or(value);
    let mut others = vec![(bare.to_owned(), "without what stands before the digest")];
    others.extend(PREFIXES.iter().map(|prefix| (format!("{prefix}{bare}"), "with a prefix before the digest")));
    let prefixed = |digest: String| -> Vec<String> {
        PREFIXES.iter().chain([&""]).map(|prefix| format!("{prefix}{digest}")).collect()
    };
    let lower = prefixed(bare.to_ascii_lowercase());
    others.extend(lower.into_iter().map(|text| (text, "with its hex digits in lower case")));
    if let Ok(digest) = hex::decode(bare) {
        others.extend(prefixed(STANDARD.encode(digest)).into_iter().map(|text| (text, "in base64: it is in hex")));
    }
    if let Ok(digest) = STANDARD.decode(bare) {
        others.extend(prefixed(hex::encode(digest)).into_iter().map(|text| (text, "in hex: it is in base64")));
    }
    let hit = others.into_iter().filter(|(text, _)| text != value).find(|(text, _)| {
        let mut headers: HeaderMap = bench.headers.clone();
        let Ok(value) = HeaderValue::from_str(text) else { return false };
        headers.insert(name.clone(), value);
        bench.holds(Change { headers: Some(&headers), ..Change::default() })
    });
    let Some((_, how)) = hit else { return Vec::new() };
    let sentence = format!("The signature in {name} is right, but the source expects it {how}.");
    let mend = format!(
        "correct prefix and encoding under [sources.{}.hmac], or name the sender that signs so",
        bench.case.source.name
    );
    vec![Finding::certain(Cause::HeaderForm, sentence, mend)]
}
