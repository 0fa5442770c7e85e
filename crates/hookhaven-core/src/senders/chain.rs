//! Several events of one thing, in the order in which they happen: a subscription's life, a build, a call.
//!
//! A chain is data beside its sender: for each step a type, whose sample is taken, and what stands otherwise in it. What
//! makes them one chain are ids that are the same throughout. Not here: in which order and how often steps are sent
//! (`hookhaven trigger`), the samples (`sample`).

use std::time::Duration;

use super::{
    form,
    mac::sha256_hex,
    sample::{fill, tail, whole_seconds},
};
use crate::{
    json::{Pointer, scan},
    sender::{CannotSign, Sample, Sender},
    time::Time,
};

/// One chain of a sender.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// As it is typed, in kebab-case; never a type of the same sender.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// In the order in which they happen; at least two.
    pub steps: &'static [Step],
}

/// One event of a chain.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Whose sample it is.
    pub event_type: &'static str,
    /// How long after the first step it happens; more than the step before.
    pub after_s: u32,
    /// What stands otherwise in the sample; of one place named twice, the last counts.
    pub set: &'static [&'static [Overlay]],
}

/// A place in a sample (a JSON pointer, or the name of a form's field) and what stands there: JSON, or the field's text.
/// Both must be in the sample.
///
/// Placeholders are those of samples, of the step's own event, and those that are the same in all steps of a chain:
/// `{{of}}` (letters and digits), `{{hex}}` (32 hex digits), `{{sha}}` and `{{next_sha}}` (40), `{{number}}` (9 decimal
/// digits), `{{began_s}}` and `{{began}}` (when the first step happened).
pub type Overlay = (&'static str, &'static str);

impl Chain {
    /// How long it takes from the first step to the last.
    pub fn length(&self) -> Duration {
        Duration::from_secs(self.steps.iter().map(|step| u64::from(step.after_s)).max().unwrap_or_default())
    }
}

/// What the steps of one chain have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Common {
    /// Whatever tells this chain from others.
    pub id: String,
    /// When the first step happened.
    pub began: Time,
}

impl Step {
    /// When it happens in that chain.
    pub fn at(&self, common: &Common) -> Time {
        common.began.plus(Duration::from_secs(u64::from(self.after_s)))
    }

    /// Its event, with an id of its own.
    ///
    /// # Errors
    /// The sender has no such sample, or there is no such place in it.
    pub fn sample(&self, sender: &dyn Sender, id: &str, common: &Common) -> Result<Sample, CannotSign> {
        let now = self.at(common);
        let sample = sender.sample(self.event_type, id, now)?;
        let said = |text: &str| fill(&common.fill(text), id, self.event_type, now);
        let set: Vec<(&str, String)> = self.set.iter().copied().flatten().map(|(at, text)| (*at, said(text))).collect();
        let body = match sample.body.first() {
            Some(b'{' | b'[') => in_json(&sample.body, &set),
            _ => in_form(&sample.body, &set),
        };
        let body = body.map_err(|at| CannotSign(format!("the sample of {} has no {at}", self.event_type)))?;
        Ok(Sample { body, ..sample })
    }
}

impl Common {
    fn fill(&self, text: &str) -> String {
        let hash = sha256_hex(self.id.as_bytes());
        let digits = u64::from_str_radix(&hash[..12], 16).unwrap_or_default() % 900_000_000 + 100_000_000;
        [
            ("{{of}}", tail(&self.id)),
            ("{{hex}}", hash[..32].to_owned()),
            ("{{sha}}", hash[..40].to_owned()),
            ("{{next_sha}}", hash[24..64].to_owned()),
            ("{{number}}", digits.to_string()),
            ("{{began_s}}", self.began.as_s().max(0).to_string()),
            ("{{began}}", whole_seconds(self.began)),
        ]
        .into_iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(name, &value))
    }
}

/// Every other byte stays as it is. `Err` names the place that is not there, or lies within another that is set.
fn in_json<'s>(body: &[u8], set: &[(&'s str, String)]) -> Result<Vec<u8>, &'s str> {
    let mut pieces = Vec::new();
    for (at, text) in set {
        let pointer = Pointer::parse(at).map_err(|_| *at)?;
        let found = scan(body, &[pointer]).pop().flatten().ok_or(*at)?;
        // The value is a piece of the body.
        let start = found.bytes().as_ptr() as usize - body.as_ptr() as usize;
        let end = start + found.bytes().len();
        pieces.retain(|(known, ..): &(usize, usize, &String, &str)| *known != start);
        pieces.push((start, end, text, *at));
    }
    pieces.sort_unstable_by_key(|(start, ..)| *start);
    let (mut out, mut from) = (Vec::with_capacity(body.len() + 64), 0);
    for (start, end, text, at) in pieces {
        out.extend_from_slice(body.get(from..start).ok_or(at)?);
        out.extend_from_slice(text.as_bytes());
        from = end;
    }
    out.extend_from_slice(&body[from..]);
    Ok(out)
}

fn in_form<'s>(body: &[u8], set: &[(&'s str, String)]) -> Result<Vec<u8>, &'s str> {
    let text = |bytes: form::Text<'_>| String::from_utf8_lossy(&bytes).into_owned();
    let mut fields: Vec<(String, String)> = form::fields(body).map(|(name, value)| (text(name), text(value))).collect();
    for (at, value) in set {
        let field = fields.iter_mut().find(|(name, _)| name == at).ok_or(*at)?;
        field.1.clone_from(value);
    }
    Ok(form::write(fields.iter().map(|(name, value)| (&**name, &**value))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(all: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        all.iter().map(|(at, text)| (*at, (*text).to_owned())).collect()
    }

    #[test]
    fn only_the_named_values_change_and_the_last_counts() {
        let body = b"{\n  \"id\": \"a\",\n  \"data\": { \"list\": [1, {\"x\": null}] }\n}";
        let changed = in_json(body, &set(&[("/data/list/1/x", "7"), ("/id", "\"b\""), ("/id", "\"long\"")])).unwrap();
        assert_eq!(changed, b"{\n  \"id\": \"long\",\n  \"data\": { \"list\": [1, {\"x\": 7}] }\n}");
        assert_eq!(in_json(body, &set(&[("/data/none", "1")])), Err("/data/none"));
        assert_eq!(in_json(body, &set(&[("/data", "{}"), ("/data/list", "[]")])), Err("/data/list"), "not both");
    }

    #[test]
    fn a_form_has_fields() {
        let changed = in_form(b"To=%2B1&Status=sent", &set(&[("Status", "on & off")])).unwrap();
        assert_eq!(changed, b"To=%2B1&Status=on+%26+off");
        assert_eq!(in_form(b"a=b", &set(&[("c", "d")])), Err("c"));
    }

    #[test]
    fn what_is_common_is_the_same_in_every_step_and_of_this_chain_alone() {
        let common = |id: &str| Common { id: id.into(), began: Time::from_s(1_700_000_000) };
        let text = "{{of}} {{hex}} {{sha}} {{next_sha}} {{number}} {{began_s}} {{began}} {{id}}";
        let filled = common("evt_1").fill(text);
        assert_eq!(filled, common("evt_1").fill(text));
        let words: Vec<&str> = filled.split(' ').collect();
        assert_eq!(words.iter().map(|w| w.len()).collect::<Vec<_>>(), [4, 32, 40, 40, 9, 10, 20, 6]);
        assert_eq!((words[0], words[5], words[7]), ("evt1", "1700000000", "{{id}}"), "its own stay for the sample");
        let other = common("evt_2").fill(text);
        assert!(words.iter().zip(other.split(' ')).take(5).all(|(one, other)| *one != other), "{filled}\n{other}");
    }
}
