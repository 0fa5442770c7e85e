//! Reading a selection: one table of parameters for the query and for JSON.

use hookhaven_core::Time;
use serde_json::Value;
use url::form_urlencoded;

use super::{Kind, Selection};
use crate::publish::error::ApiError;

/// Values of one call.
const VALUES_MAX: usize = 1_000;
/// A page, or a bulk call, of each kind.
const COUNT_MAX: [(Kind, usize); 3] = [(Kind::Messages, 500), (Kind::DeadLetters, 100), (Kind::Logs, 1_000)];

const STATES: [&str; 8] =
    ["CREATED", "ACTIVE", "DELIVERED", "ERROR", "RETRY", "FAILED", "CANCEL_REQUESTED", "CANCELED"];

/// Of the query as it was sent, still encoded.
pub fn from_query(kind: Kind, query: &str) -> Result<Selection, ApiError> {
    let mut reader = Reader::new(kind);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        // Where a call was authorised by it.
        if name != "qstash_token" {
            reader.take(&name, &value)?;
        }
    }
    Ok(reader.selection)
}

/// Of a JSON object; an empty body selects nothing in particular.
pub fn from_json(kind: Kind, body: &[u8]) -> Result<Selection, ApiError> {
    let mut reader = Reader::new(kind);
    if body.trim_ascii().is_empty() {
        return Ok(reader.selection);
    }
    let bad = || ApiError::bad("invalid body: expected a JSON object");
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else { return Err(bad()) };
    for (name, value) in &fields {
        match value {
            Value::Null => {}
            Value::Array(values) => {
                if values.is_empty() && is_ids(kind, name) {
                    // Nobody means everything by naming nothing.
                    reader.selection.ids.get_or_insert_default();
                }
                for value in values {
                    reader.take_json(name, value)?;
                }
            }
            value => reader.take_json(name, value)?,
        }
        if matches!(value, Value::Null | Value::Array(_)) {
            reader.known(name)?;
        }
    }
    Ok(reader.selection)
}

fn is_ids(kind: Kind, name: &str) -> bool {
    match kind {
        Kind::Messages | Kind::Logs => name == "messageIds",
        Kind::DeadLetters => name == "dlqIds",
    }
}

struct Reader {
    kind: Kind,
    values: usize,
    selection: Selection,
}

impl Reader {
    fn new(kind: Kind) -> Self {
        Reader { kind, values: 0, selection: Selection::default() }
    }

    fn take_json(&mut self, name: &str, value: &Value) -> Result<(), ApiError> {
        match value {
            Value::String(text) => self.take(name, text),
            Value::Number(number) => self.take(name, &number.to_string()),
            _ => Err(ApiError::bad(format!("invalid {name}: expected text, a number, or a list of them"))),
        }
    }

    /// A name with no value to read must be known all the same.
    fn known(&self, name: &str) -> Result<(), ApiError> {
        let probe = match name {
            "fromDate" | "toDate" | "count" | "responseStatus" => "1",
            "state" => STATES[0],
            "order" => "latestFirst",
            _ => "x",
        };
        Reader::new(self.kind).take(name, probe)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(ApiError::bad(format!("too many parameters: at most {VALUES_MAX}")));
        }
        let (kind, selection) = (self.kind, &mut self.selection);
        match name {
            _ if is_ids(kind, name) => selection.ids.get_or_insert_default().extend(list(value)),
            "messageId" if kind != Kind::Messages => selection.message = Some(value.to_owned()),
            // Both readings, since an address may hold a comma.
            "url" => either(&mut selection.urls, value),
            "path" if kind != Kind::DeadLetters => either(&mut selection.paths, value),
            "host" if kind != Kind::DeadLetters => {
                selection.hosts.extend(list(value).map(|host| host.to_ascii_lowercase()));
            }
            "topicName" => selection.groups.extend(list(value)),
            "queueName" => selection.queues.extend(list(value)),
            "scheduleId" => selection.schedules.extend(list(value)),
            "label" => selection.labels.extend(list(value)),
            "flowControlKey" => selection.flow_keys.extend(list(value)),
            "callerIp" | "callerIP" => selection.callers.extend(list(value)),
            "responseStatus" if kind == Kind::DeadLetters => {
                for status in list(value) {
                    selection.statuses.push(number(name, &status)?);
                }
            }
            "state" if kind == Kind::Logs => selection.states = states(value)?,
            "fromDate" => selection.from = Some(date(name, value)?),
            "toDate" => selection.until = Some(date(name, value)?),
            "count" => selection.count = Some(count(kind, value)?),
            "cursor" if kind != Kind::Messages => selection.cursor = Some(value.to_owned()).filter(|c| !c.is_empty()),
            "order" if kind != Kind::Messages => selection.oldest_first = Some(oldest_first(value)?),
            "api" if kind != Kind::Messages => {}
            _ => return Err(ApiError::bad(format!("unknown parameter: {name:?}"))),
        }
        Ok(())
    }
}

fn list(value: &str) -> impl Iterator<Item = String> + '_ {
    value.split(',').map(|item| item.trim().to_owned())
}

fn either(values: &mut Vec<String>, value: &str) {
    values.push(value.to_owned());
    if value.contains(',') {
        values.extend(list(value));
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, ApiError> {
    value.parse().map_err(|_| ApiError::bad(format!("invalid {name}: {value:?} is not a number")))
}

/// Milliseconds since the epoch.
fn date(name: &str, value: &str) -> Result<Time, ApiError> {
    number(name, value).map(|ms| Time::from_ms(ms).min(Time::MAX))
}

fn count(kind: Kind, value: &str) -> Result<usize, ApiError> {
    let max = COUNT_MAX.into_iter().find(|(k, _)| *k == kind).map_or(1, |(_, max)| max);
    match number::<usize>("count", value)? {
        0 => Err(ApiError::bad("invalid count: at least 1")),
        count => Ok(count.min(max)),
    }
}

fn oldest_first(value: &str) -> Result<bool, ApiError> {
    match value {
        "earliestFirst" => Ok(true),
        "latestFirst" => Ok(false),
        _ => Err(ApiError::bad("invalid order: use earliestFirst or latestFirst")),
    }
}

/// `IN_PROGRESS` means what is under way; the older spelling of `CANCELED` is accepted.
fn states(value: &str) -> Result<Vec<String>, ApiError> {
    let state = value.trim().to_ascii_uppercase();
    match state.as_str() {
        "IN_PROGRESS" => Ok(["ACTIVE", "RETRY", "ERROR"].map(str::to_owned).to_vec()),
        "CANCELLED" => Ok(vec!["CANCELED".to_owned()]),
        known if STATES.contains(&known) => Ok(vec![state]),
        _ => Err(ApiError::bad(format!("invalid state: {value:?}"))),
    }
}
