//! Findings about secrets: another one than is configured, or the right one written wrongly.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};

use super::{Bench, Cause, Change, Finding};
use crate::{secret::Secret, source::Source};

pub(super) fn look(bench: &Bench<'_>) -> Vec<Finding> {
    [blanks, encodings, retired, of_others].iter().flat_map(|look| look(bench)).collect()
}

/// A configured secret with blanks or quotation marks around it, or one that has lost its line break.
fn blanks(bench: &Bench<'_>) -> Vec<Finding> {
    let source = bench.case.source;
    let found = first(bench, |secret| {
        let text = secret.expose();
        let quoted = |mark: u8| text.strip_prefix(&[mark])?.strip_suffix(&[mark]).map(<[u8]>::to_vec);
        let trimmed = text.trim_ascii();
        let mut all = vec![];
        if trimmed.len() < text.len() {
            all.push((trimmed.to_vec(), "with the blanks around it taken away"));
        }
        all.extend([b'"', b'\''].into_iter().filter_map(quoted).map(|text| (text, "without its quotation marks")));
        all.extend([&b"\n"[..], b"\r\n", b" "].map(|end| {
            ([text, end].concat(), "with a line break or blank at its end, which the sender has in its copy")
        }));
        all
    });
    let Some((position, how)) = found else { return Vec::new() };
    let sentence = format!("Secret {position} of {} would match {how}.", quoted(source));
    let mend = if how.starts_with("with a") {
        "enter the secret at the sender anew, without a line break behind it"
    } else {
        "take them out of the secret where it is kept (the file, the environment variable, the config)"
    };
    vec![Finding::certain(Cause::SecretWhitespace, sentence, mend)]
}

/// A configured secret in another encoding or with another prefix than this sender's.
fn encodings(bench: &Bench<'_>) -> Vec<Finding> {
    let found = first(bench, |secret| {
        let text = secret.expose();
        let mut all = Vec::new();
        if let Some(after) = text.strip_prefix(b"whsec_") {
            all.push((after.to_vec(), "without its prefix \"whsec_\""));
            all.extend(base64(after).map(|key| (key, "with the base64 after \"whsec_\" decoded")));
        } else {
            all.push(([b"whsec_", text].concat(), "with the prefix \"whsec_\" before it"));
        }
        all.extend(hex::decode(text).ok().map(|key| (key, "decoded from hex")));
        all.extend(base64(text).map(|key| (key, "decoded from base64")));
        all.push((STANDARD.encode(text).into_bytes(), "taken as text, not as base64"));
        all.extend(hex::decode(text).map(|key| (STANDARD.encode(key).into_bytes(), "taken as hex, not as base64")));
        all.extend(base64(text).map(|key| (hex::encode(key).into_bytes(), "taken as base64, not as hex")));
        all.push((text.to_ascii_lowercase(), "in lower case"));
        all.push((text.to_ascii_uppercase(), "in upper case"));
        all.retain(|(other, _)| other != text);
        all
    });
    let Some((position, how)) = found else { return Vec::new() };
    let source = bench.case.source;
    let sentence = format!("Secret {position} of {} would match {how}.", quoted(source));
    let mend = format!("write it so under [sources.{}], or copy it from the sender anew", source.name);
    vec![Finding::certain(Cause::SecretEncoding, sentence, mend)]
}

fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let ways = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD];
    ways.into_iter().find_map(|way| way.decode(text).ok()).filter(|key| !key.is_empty())
}

/// One that was in the configuration and was taken out.
fn retired(bench: &Bench<'_>) -> Vec<Finding> {
    let case = bench.case;
    let matches = |(secret, _): &&(Secret, _)| {
        bench.holds(Change { secrets: Some(std::slice::from_ref(secret)), ..Change::default() })
    };
    let Some((_, at)) = case.retired.iter().find(matches) else { return Vec::new() };
    let name = &case.source.name;
    let sentence = format!(
        "It is signed with a previous secret of {}, which was taken out of the configuration at {at}.",
        quoted(case.source)
    );
    let mend = format!(
        "put that secret back behind the new one in the list of secrets under [sources.{name}], until the sender signs \
         with the new one"
    );
    vec![Finding::certain(Cause::PreviousSecret, sentence, mend)]
}

/// Another source's secret, or another source's request altogether.
pub(super) fn of_others(bench: &Bench<'_>) -> Vec<Finding> {
    bench.case.others.iter().filter_map(|other| of_other(bench, other)).collect()
}

fn of_other(bench: &Bench<'_>, other: &Source) -> Option<Finding> {
    let (here, there) = (bench.case.source, &other.name);
    let theirs = |sender| Change { sender, secrets: Some(&other.secrets), ..Change::default() };
    let same_sender = other.sender.name() == here.sender.name();
    if same_sender && bench.holds(theirs(None)) {
        let sentence = format!("It is signed with the secret of source \"{there}\".");
        let mend = format!(
            "if the sender should post to \"{there}\", enter …/webhooks/{there} there; if the secrets of the two were \
             swapped, swap them back; else put that secret under [sources.{}]",
            here.name
        );
        return Some(Finding::certain(Cause::SecretOfOtherSource, sentence, mend));
    }
    let url = other.signed_url(bench.case.rejected.query());
    let change = Change { url: url.as_deref(), ..theirs(Some(&*other.sender)) };
    bench.holds(change).then(|| {
        let sentence = format!(
            "It is a genuine request of source \"{there}\" (sender {}), posted to {}.",
            other.sender.name(),
            quoted(here)
        );
        let mend = format!(
            "enter …/webhooks/{there} at that sender; or, if the two were swapped in the configuration, swap them back"
        );
        Finding::certain(Cause::RequestOfOtherSource, sentence, mend)
    })
}

/// The first secret, counted from 1, one of whose variants makes the signature hold, and which.
fn first(
    bench: &Bench<'_>,
    variants: impl Fn(&Secret) -> Vec<(Vec<u8>, &'static str)>,
) -> Option<(usize, &'static str)> {
    (1..).zip(&bench.case.source.secrets).find_map(|(position, secret)| {
        variants(secret).into_iter().find_map(|(text, how)| {
            let other = Secret::new(text)?;
            let change = Change { secrets: Some(std::slice::from_ref(&other)), ..Change::default() };
            bench.holds(change).then_some((position, how))
        })
    })
}

fn quoted(source: &Source) -> String {
    format!("source \"{}\"", source.name)
}
