//! Fills committed sample bodies with the id, type and time asked for.
//!
//! Not here: the samples themselves, one file each under `samples/`, all written for this project.

use serde_json::{Map, Value};

use super::place::Unit;
use crate::{
    json::Pointer,
    sender::{CannotSign, Sample},
    time::Time,
};

/// A sample's event type and its text, with placeholders such as `{{id}}`.
pub type Named = (&'static str, &'static str);

/// `sample!("stripe", "invoice.paid")`: that type with the text of its file.
macro_rules! sample {
    ($sender:literal, $event_type:literal, $extension:literal) => {
        ($event_type, include_str!(concat!("../samples/", $sender, "/", $event_type, ".", $extension)))
    };
    ($sender:literal, $event_type:literal) => {
        sample!($sender, $event_type, "json")
    };
}
pub(super) use sample;

pub fn find(samples: &[Named], event_type: &str) -> Option<&'static str> {
    samples.iter().find(|(name, _)| *name == event_type).map(|(_, text)| *text)
}

/// Replaces `{{id}}` and `{{type}}` (as the inside of a JSON string), `{{tail}}` (letters and digits of the id,
/// for the ids of other objects), `{{now}}` (RFC 3339), `{{now_rfc2822}}`, `{{now_s}}` and `{{now_ms}}`.
pub fn fill(text: &str, id: &str, event_type: &str, now: Time) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
    {
        out.push_str(before);
        match name {
            "id" => out.push_str(&inside_of_string(id)),
            "type" => out.push_str(&inside_of_string(event_type)),
            "tail" => out.push_str(&tail(id)),
            "now" => out.push_str(&whole_seconds(now)),
            "now_rfc2822" => out.push_str(&rfc2822(now)),
            "now_s" => out.push_str(&Unit::S.write(now)),
            "now_ms" => out.push_str(&Unit::Ms.write(now)),
            other => out.extend(["{{", other, "}}"]),
        }
        rest = after;
    }
    out + rest
}

/// The sample with this value in its body, for senders whose signature stands there.
pub fn with(sample: &Sample, at: &str, value: Value) -> Result<Sample, CannotSign> {
    let text = std::str::from_utf8(&sample.body).map_err(|_| CannotSign("the body is not JSON".into()))?;
    let at = Pointer::parse(at).map_err(|e| CannotSign(e.to_string()))?;
    let mut body = Body::read(text);
    body.set(&at, value);
    Ok(Sample { body: body.into_bytes(), ..sample.clone() })
}

fn inside_of_string(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The last letters and digits of an id, 14 at most.
pub fn tail(id: &str) -> String {
    let plain: Vec<char> = id.chars().filter(char::is_ascii_alphanumeric).collect();
    plain[plain.len().saturating_sub(14)..].iter().collect()
}

pub(super) fn whole_seconds(now: Time) -> String {
    let text = Time::from_s(now.as_s()).to_string();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

fn rfc2822(now: Time) -> String {
    let time = jiff::Timestamp::from_microsecond(now.as_us()).unwrap_or_default();
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_string(&time).unwrap_or_default()
}

/// A JSON body under construction, value by value.
#[derive(Default)]
pub struct Body(Value);

impl Body {
    /// From a text in JSON; empty if it is none.
    pub fn read(text: &str) -> Self {
        Body(serde_json::from_str(text).unwrap_or_default())
    }

    /// Sets a value, making the objects on the way, and arrays where the path has a number; what stands in the
    /// way is replaced.
    pub fn set(&mut self, pointer: &Pointer, value: Value) {
        let mut at = &mut self.0;
        for segment in pointer.segments() {
            at = match segment.parse::<usize>() {
                Ok(index) if index < INDEX_MAX => element(at, index),
                _ => member(at, segment),
            };
        }
        *at = value;
    }

    pub fn set_time(&mut self, pointer: &Pointer, unit: Option<Unit>, now: Time) {
        let value = match unit {
            Some(Unit::S) => Value::from(now.as_s().max(0)),
            Some(Unit::Ms) => Value::from(now.as_ms().max(0)),
            Some(Unit::Rfc3339) | None => Value::from(whole_seconds(now)),
        };
        self.set(pointer, value);
    }

    pub fn into_bytes(mut self) -> Vec<u8> {
        if self.0.is_null() {
            self.0 = Value::Object(Map::new());
        }
        if let Value::Object(map) = &mut self.0 {
            map.entry("data").or_insert_with(|| serde_json::json!({ "sample": true }));
        }
        self.0.to_string().into_bytes()
    }
}

/// Arrays in samples are shorter.
const INDEX_MAX: usize = 16;

fn element(at: &mut Value, index: usize) -> &mut Value {
    if !at.is_array() {
        *at = Value::Array(Vec::new());
    }
    if let Value::Array(list) = at
        && list.len() <= index
    {
        list.resize(index + 1, Value::Null);
    }
    &mut at[index]
}

fn member<'a>(at: &'a mut Value, name: &str) -> &'a mut Value {
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    &mut at[name]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_every_placeholder_and_stays_json() {
        let text =
            r#"{"id":"{{id}}","of":"pi_{{tail}}","type":"{{type}}","at":{{now_s}},"ms":{{now_ms}},"t":"{{now}}"}"#;
        let filled = fill(text, "evt_\"1{{type}}", "a\nb", Time::from_ms(1_700_000_000_999));
        let value: Value = serde_json::from_str(&filled).unwrap();
        assert_eq!(value["id"], "evt_\"1{{type}}");
        assert_eq!(value["of"], "pi_evt1type");
        assert_eq!(value["type"], "a\nb");
        assert_eq!(value["at"], 1_700_000_000);
        assert_eq!(value["ms"], 1_700_000_000_999u64);
        assert_eq!(value["t"], "2023-11-14T22:13:20Z");
    }
}
