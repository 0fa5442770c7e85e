//! From method and raw request target to the call that is meant. Destinations are taken as they stand: no
//! decoding, no merging of slashes, no redirect; names are decoded once.
//!
//! Not here: who may call, and what a call does.

use http::{Method, StatusCode};

use super::error::ApiError;

/// One call of the API. Texts named `raw` are as they were sent, query included; `query` is as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    Publish { raw: String },
    Enqueue { queue: String, raw: String },
    Batch,
    Message { id: String },
    CancelMessage { id: String },
    CancelMessages { query: String },
    PutQueue,
    Queues,
    Queue { name: String },
    DeleteQueue { name: String },
    PauseQueue { name: String, paused: bool },
    PutEndpoints { group: String },
    RemoveEndpoints { group: String },
    Groups,
    Group { name: String },
    DeleteGroup { name: String },
    PatchGroup { name: String },
    CreateSchedule { raw: String },
    Schedules,
    Schedule { id: String },
    DeleteSchedule { id: String },
    PauseSchedule { id: String, paused: bool },
    DeadLetters { query: String },
    DeadLetter { id: String },
    DeleteDeadLetter { id: String },
    DeleteDeadLetters { query: String },
    RetryDeadLetter { id: String },
    RetryDeadLetters { query: String },
    Logs { query: String },
    FlowKeys { query: String },
    FlowKey { key: String },
    FlowAction { key: String, action: FlowAction, query: String },
    Parallelism,
    Keys,
    RotateKeys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowAction {
    Pause,
    Resume,
    Pin,
    Unpin,
    ResetRate,
    Reset,
}

const FLOW_ACTIONS: [(&str, FlowAction); 6] = [
    ("pause", FlowAction::Pause),
    ("resume", FlowAction::Resume),
    ("pin", FlowAction::Pin),
    ("unpin", FlowAction::Unpin),
    ("resetrate", FlowAction::ResetRate),
    ("reset", FlowAction::Reset),
];

const OUT_OF_SCOPE: [&str; 5] = ["workflows", "notify", "wait", "waiters", "bulkactions"];

impl Call {
    /// Whether a read-only token will do.
    pub fn only_reads(&self) -> bool {
        use Call as C;
        matches!(
            self,
            C::Message { .. }
                | C::Queues
                | C::Queue { .. }
                | C::Groups
                | C::Group { .. }
                | C::Schedules
                | C::Schedule { .. }
                | C::DeadLetters { .. }
                | C::DeadLetter { .. }
                | C::Logs { .. }
                | C::FlowKeys { .. }
                | C::FlowKey { .. }
                | C::Parallelism
                | C::Keys
        )
    }
}

/// Whether a path belongs to this API at all.
pub fn is_ours(path: &str) -> bool {
    ["/v2", "/llm"]
        .into_iter()
        .filter_map(|prefix| strip_prefix(path, prefix))
        .any(|r| r.is_empty() || r.starts_with('/'))
}

/// `target` is the request's path and query.
///
/// # Errors
/// 404 for paths that do not exist, 405 for methods they do not take, 501 for what is QStash's and not ours.
pub fn parse(method: &Method, target: &str) -> Result<Call, ApiError> {
    let rest = strip_prefix(target, "/v2").filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    let Some(rest) = rest else {
        let llm = strip_prefix(target, "/llm/").is_some();
        return Err(if llm { ApiError::out_of_scope("the LLM API") } else { no_such_path() });
    };
    let rest = rest.strip_prefix('/').unwrap_or_default();
    let (head, tail) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let head = head.to_ascii_lowercase();
    if OUT_OF_SCOPE.contains(&head.as_str()) {
        return Err(ApiError::out_of_scope(&head));
    }
    match (head.as_str(), method) {
        ("publish", _) => only(&[Method::POST], method).map(|()| Call::Publish { raw: after_slash(tail) }),
        ("enqueue", _) => {
            only(&[Method::POST], method)?;
            let raw = after_slash(tail);
            let (queue, raw) = raw.split_once('/').ok_or_else(no_such_path)?;
            Ok(Call::Enqueue { queue: decode(queue)?, raw: raw.to_owned() })
        }
        ("schedules", &Method::POST) => create_or_pause(after_slash(tail)),
        _ => plain(&head, tail, method),
    }
}

/// Paths without a destination in them.
fn plain(head: &str, tail: &str, method: &Method) -> Result<Call, ApiError> {
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    let query = query.to_owned();
    let mut segments = path.split('/').skip(1).map(decode).collect::<Result<Vec<_>, _>>()?;
    // A trailing slash means the same as none.
    if segments.last().is_some_and(String::is_empty) {
        segments.pop();
    }
    let word = segments.get(1).map(|word| word.to_ascii_lowercase()).unwrap_or_default();
    let arguments = segments.len();
    let id = segments.first().cloned().unwrap_or_default();
    if head == "flowcontrol" {
        return flow(method, &segments, query);
    }
    let (get, post, delete, patch) = (Method::GET, Method::POST, Method::DELETE, Method::PATCH);
    let table: Vec<(Method, Call)> = match (head, arguments, word.as_str()) {
        ("batch", 0, _) => vec![(post, Call::Batch)],
        ("messages", 0, _) => vec![(delete, Call::CancelMessages { query })],
        ("messages", 1, _) => vec![(get, Call::Message { id: id.clone() }), (delete, Call::CancelMessage { id })],
        ("queues", 0, _) => vec![(get, Call::Queues), (post, Call::PutQueue)],
        ("queues", 1, _) => vec![(get, Call::Queue { name: id.clone() }), (delete, Call::DeleteQueue { name: id })],
        ("queues", 2, "pause" | "resume") => vec![(post, Call::PauseQueue { name: id, paused: word == "pause" })],
        ("topics", 0, _) => vec![(get, Call::Groups)],
        ("topics", 1, _) => vec![
            (get, Call::Group { name: id.clone() }),
            (delete, Call::DeleteGroup { name: id.clone() }),
            (patch, Call::PatchGroup { name: id }),
        ],
        ("topics", 2, "endpoints") => {
            vec![(post, Call::PutEndpoints { group: id.clone() }), (delete, Call::RemoveEndpoints { group: id })]
        }
        ("schedules", 0, _) => vec![(get, Call::Schedules)],
        ("schedules", 1, _) => {
            vec![(get, Call::Schedule { id: id.clone() }), (delete, Call::DeleteSchedule { id })]
        }
        ("schedules", 2, "pause" | "resume") => vec![(patch, Call::PauseSchedule { id, paused: word == "pause" })],
        ("dlq", 0, _) => {
            vec![(get, Call::DeadLetters { query: query.clone() }), (delete, Call::DeleteDeadLetters { query })]
        }
        ("dlq", 1, _) if id.eq_ignore_ascii_case("retry") => vec![(post, Call::RetryDeadLetters { query })],
        ("dlq", 1, _) => vec![(get, Call::DeadLetter { id: id.clone() }), (delete, Call::DeleteDeadLetter { id })],
        ("dlq", 2, _) if id.eq_ignore_ascii_case("retry") => {
            vec![(post, Call::RetryDeadLetter { id: segments.swap_remove(1) })]
        }
        ("events" | "logs", 0, _) => vec![(get, Call::Logs { query })],
        ("globalparallelism", 0, _) => vec![(get, Call::Parallelism)],
        ("keys", 0, _) => vec![(get, Call::Keys)],
        ("keys", 1, _) if id.eq_ignore_ascii_case("rotate") => vec![(post, Call::RotateKeys)],
        _ => return Err(no_such_path()),
    };
    table.into_iter().find(|(taken, _)| taken == method).map(|(_, call)| call).ok_or_else(wrong_method)
}

/// `<x>/pause` is a pause only if `<x>` is no destination.
fn create_or_pause(raw: String) -> Result<Call, ApiError> {
    let path = raw.split('?').next().unwrap_or_default();
    let path = path.strip_suffix('/').unwrap_or(path);
    if let Some((id, word)) = path.split_once('/') {
        let paused = match word.to_ascii_lowercase().as_str() {
            "pause" => Some(true),
            "resume" => Some(false),
            _ => None,
        };
        if let (Some(paused), false) = (paused, id.contains(':')) {
            return Ok(Call::PauseSchedule { id: decode(id)?, paused });
        }
    }
    if raw.is_empty() { Err(wrong_method()) } else { Ok(Call::CreateSchedule { raw }) }
}

/// A key stands in the path as it is, so it may take several segments; the action is the last.
fn flow(method: &Method, segments: &[String], query: String) -> Result<Call, ApiError> {
    match *method {
        Method::GET if segments.is_empty() => Ok(Call::FlowKeys { query }),
        Method::GET => Ok(Call::FlowKey { key: segments.join("/") }),
        Method::POST => {
            let (action, key) = segments.split_last().ok_or_else(wrong_method)?;
            let known = FLOW_ACTIONS.iter().find(|(name, _)| action.eq_ignore_ascii_case(name));
            let (_, action) = known.filter(|_| !key.is_empty()).ok_or_else(no_such_path)?;
            Ok(Call::FlowAction { key: key.join("/"), action: *action, query })
        }
        _ => Err(wrong_method()),
    }
}

fn only(methods: &[Method], method: &Method) -> Result<(), ApiError> {
    if methods.contains(method) { Ok(()) } else { Err(wrong_method()) }
}

fn after_slash(tail: &str) -> String {
    tail.strip_prefix('/').unwrap_or_default().to_owned()
}

fn strip_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Once, and only what is well formed.
fn decode(segment: &str) -> Result<String, ApiError> {
    if !segment.contains('%') {
        return Ok(segment.to_owned());
    }
    let (bytes, mut decoded, mut i) = (segment.as_bytes(), Vec::with_capacity(segment.len()), 0);
    while let Some(&byte) = bytes.get(i) {
        let code = bytes.get(i + 1..i + 3).filter(|_| byte == b'%').and_then(|hex| hex::decode(hex).ok());
        i += if code.is_some() { 3 } else { 1 };
        decoded.push(code.map_or(byte, |c| c[0]));
    }
    String::from_utf8(decoded).map_err(|_| ApiError::bad("invalid path: a name in it is not UTF-8"))
}

fn no_such_path() -> ApiError {
    ApiError::not_found("not found: there is nothing at this path")
}

fn wrong_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, target: &str) -> Result<Call, u16> {
        parse(&method.parse().unwrap(), target).map_err(|e| e.status.as_u16())
    }

    #[test]
    fn destinations_are_raw() {
        let raw = "https://example.com/a//b/../c?x=1&y=b%20c&z=?";
        assert_eq!(call("POST", &format!("/v2/publish/{raw}")), Ok(Call::Publish { raw: raw.into() }));
        let enqueue = Call::Enqueue { queue: "a b".into(), raw: raw.into() };
        assert_eq!(call("POST", &format!("/v2/enqueue/a%20b/{raw}")), Ok(enqueue));
        assert_eq!(call("POST", &format!("/V2/Schedules/{raw}")), Ok(Call::CreateSchedule { raw: raw.into() }));
        let odd = "https://example.com/pause";
        assert_eq!(call("POST", &format!("/v2/schedules/{odd}")), Ok(Call::CreateSchedule { raw: odd.into() }));
        assert_eq!(call("POST", "/v2/schedules/group"), Ok(Call::CreateSchedule { raw: "group".into() }));
    }

    #[test]
    fn every_path_of_the_reference() {
        let [id, name, group, query] = ["x", "x", "x", "a=b"].map(str::to_owned);
        let pause = |paused| Call::PauseSchedule { id: "x".into(), paused };
        let table = [
            ("POST", "/v2/batch", Call::Batch),
            ("GET", "/v2/messages/x", Call::Message { id: id.clone() }),
            ("DELETE", "/v2/messages/x", Call::CancelMessage { id: id.clone() }),
            ("DELETE", "/v2/messages?a=b", Call::CancelMessages { query: query.clone() }),
            ("DELETE", "/v2/messages/?a=b", Call::CancelMessages { query: query.clone() }),
            ("POST", "/v2/queues/", Call::PutQueue),
            ("GET", "/v2/queues", Call::Queues),
            ("GET", "/v2/queues/x", Call::Queue { name: name.clone() }),
            ("DELETE", "/v2/queues/x", Call::DeleteQueue { name: name.clone() }),
            ("POST", "/v2/queues/x/Pause", Call::PauseQueue { name: name.clone(), paused: true }),
            ("POST", "/v2/queues/x/resume", Call::PauseQueue { name: name.clone(), paused: false }),
            ("POST", "/v2/topics/x/endpoints", Call::PutEndpoints { group: group.clone() }),
            ("DELETE", "/v2/topics/x/endpoints", Call::RemoveEndpoints { group }),
            ("GET", "/v2/topics", Call::Groups),
            ("GET", "/v2/topics/x", Call::Group { name: name.clone() }),
            ("DELETE", "/v2/topics/x", Call::DeleteGroup { name: name.clone() }),
            ("PATCH", "/v2/topics/x", Call::PatchGroup { name }),
            ("GET", "/v2/Schedules/", Call::Schedules),
            ("GET", "/v2/schedules/x", Call::Schedule { id: id.clone() }),
            ("DELETE", "/v2/schedules/x", Call::DeleteSchedule { id: id.clone() }),
            ("PATCH", "/v2/schedules/x/pause", pause(true)),
            ("POST", "/v2/schedules/x/resume/", pause(false)),
            ("GET", "/v2/dlq?a=b", Call::DeadLetters { query: query.clone() }),
            ("GET", "/v2/dlq/x", Call::DeadLetter { id: id.clone() }),
            ("DELETE", "/v2/dlq/x", Call::DeleteDeadLetter { id: id.clone() }),
            ("DELETE", "/v2/dlq?a=b", Call::DeleteDeadLetters { query: query.clone() }),
            ("POST", "/v2/dlq/retry?a=b", Call::RetryDeadLetters { query: query.clone() }),
            ("POST", "/v2/dlq/retry/x", Call::RetryDeadLetter { id }),
            ("GET", "/v2/events?a=b", Call::Logs { query: query.clone() }),
            ("GET", "/v2/logs?a=b", Call::Logs { query: query.clone() }),
            ("GET", "/v2/flowControl?a=b", Call::FlowKeys { query: query.clone() }),
            ("GET", "/v2/flowControl/a%20/b", Call::FlowKey { key: "a /b".into() }),
            (
                "POST",
                "/v2/flowControl/a/b/resetRate?a=b",
                Call::FlowAction { key: "a/b".into(), action: FlowAction::ResetRate, query },
            ),
            ("GET", "/v2/globalParallelism", Call::Parallelism),
            ("GET", "/v2/keys", Call::Keys),
            ("POST", "/v2/keys/rotate", Call::RotateKeys),
        ];
        for (method, target, expected) in table {
            assert_eq!(call(method, target), Ok(expected), "{method} {target}");
        }
    }

    #[test]
    fn what_is_not_there() {
        for target in
            ["/", "/v1/publish/x", "/v20/keys", "/v2", "/v2/", "/v2/nothing", "/v2/queues/a/stop", "/v2/keys/x"]
        {
            assert_eq!(call("GET", target), Err(404), "{target}");
        }
        for (method, target) in [
            ("GET", "/v2/publish/https://a/"),
            ("GET", "/v2/enqueue/q/https://a/"),
            ("GET", "/v2/batch"),
            ("GET", "/v2/messages"),
            ("GET", "/v2/keys/rotate"),
            ("POST", "/v2/schedules"),
            ("PUT", "/v2/flowControl/k/pause"),
        ] {
            assert_eq!(call(method, target), Err(405), "{method} {target}");
        }
        for target in
            ["/v2/workflows/runs/x?cancel=true", "/v2/notify/x", "/v2/bulkActions/x", "/llm/v1/chat/completions"]
        {
            assert_eq!(call("POST", target), Err(501), "{target}");
        }
        assert_eq!(call("POST", "/v2/enqueue/q"), Err(404));
    }
}
