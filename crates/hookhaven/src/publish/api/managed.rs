//! Calls that manage rather than publish (queues, URL groups, schedules, dead letters, keys), as they stand in the audit
//! log. Never the path: it may hold a destination's address with what opens that. And not what programs do all day
//! long (cancelling a message, putting the queue or the endpoint that they are about to use): it would push out what
//! people did.

use std::sync::Arc;

use http::Response;

use super::{ApiError, Call, PublishParts};
use crate::{access::audit::Done, publish::route::FlowAction, server::Peer};

/// Who calls with a token of the configuration.
const CONFIGURED: &str = "publish token";

/// What is done, and to what.
pub(super) type Managed = (&'static str, Option<String>);

/// `None` for what is not written down.
pub(super) fn of(call: &Call) -> Option<Managed> {
    let (action, subject) = match call {
        Call::CancelMessages { .. } => ("publish.messages.cancel", None),
        Call::DeleteQueue { name } => ("publish.queues.delete", Some(name)),
        Call::PauseQueue { name, paused: true } => ("publish.queues.pause", Some(name)),
        Call::PauseQueue { name, paused: false } => ("publish.queues.resume", Some(name)),
        Call::DeleteGroup { name } => ("publish.groups.delete", Some(name)),
        Call::PatchGroup { name } => ("publish.groups.change", Some(name)),
        Call::CreateSchedule { .. } => ("publish.schedules.create", None),
        Call::DeleteSchedule { id } => ("publish.schedules.delete", Some(id)),
        Call::PauseSchedule { id, paused: true } => ("publish.schedules.pause", Some(id)),
        Call::PauseSchedule { id, paused: false } => ("publish.schedules.resume", Some(id)),
        Call::DeleteDeadLetter { id } => ("publish.dlq.delete", Some(id)),
        Call::DeleteDeadLetters { .. } => ("publish.dlq.delete", None),
        Call::RetryDeadLetter { id } => ("publish.dlq.retry", Some(id)),
        Call::RetryDeadLetters { .. } => ("publish.dlq.retry", None),
        Call::FlowAction { key, action, .. } => (flow(*action), Some(key)),
        Call::RotateKeys => ("publish.keys.rotate", None),
        _ => return None,
    };
    Some((action, subject.cloned()))
}

fn flow(action: FlowAction) -> &'static str {
    match action {
        FlowAction::Pause => "publish.flow.pause",
        FlowAction::Resume => "publish.flow.resume",
        FlowAction::Pin => "publish.flow.pin",
        FlowAction::Unpin => "publish.flow.unpin",
        FlowAction::ResetRate | FlowAction::Reset => "publish.flow.reset",
    }
}

pub(super) async fn record<B>(
    parts: &PublishParts,
    (action, subject): Managed,
    caller: Option<Arc<str>>,
    peer: Peer,
    answer: &Result<Response<B>, ApiError>,
) {
    let Some(audit) = &parts.audit else { return };
    let status = answer.as_ref().map_or_else(|error| error.status, Response::status);
    let who = caller.as_deref().unwrap_or(CONFIGURED).to_owned();
    let address = Some(peer.0.ip().to_canonical().to_string());
    let (action, status) = (action.to_owned(), Some(status.as_u16()));
    audit.record(Done { who, address, action, subject, status, ..Done::default() }).await;
}
