//! Schedules: making, listing, pausing, deleting. Their ticks are the scheduler's (`scheduler`).

use std::sync::Arc;

use hookhaven_core::{DeliveryState, cron::Cron};
use serde_json::{Value, json};

use super::{Answer, Received, empty, ok, publish};
use crate::publish::{
    book::{Lines, Schedule, Tick},
    compose::Draft,
    error::ApiError,
    ids,
    limits::SCHEDULES_MAX,
    lines,
    settings::Settings,
    view::{self, Object},
};

/// `POST /v2/schedules/{destination}`
pub(super) async fn create(request: &Received<'_>, raw: &str) -> Answer {
    let (raw, in_query) = lines::take_from_query(raw)?;
    let read = |reading| lines::of_request(&request.head.headers, &in_query, reading);
    let draft = publish::draft(request, &raw, None, request.body.clone(), read).await?;
    create_from(request, &raw, draft).await
}

/// A schedule of a message that was checked: with an id that exists it replaces all of the other but its birth.
pub(super) async fn create_from(request: &Received<'_>, destination: &str, draft: Draft) -> Answer {
    let settings = &draft.settings;
    let cron =
        settings.cron.clone().ok_or_else(|| ApiError::bad("Invalid cron expression: Upstash-Cron is missing"))?;
    let given = settings.schedule_id.clone();
    let id = given.unwrap_or_else(|| ids::new_schedule(request.now, request.parts.entropy.id_bytes()));
    let schedules = &request.book().schedules;
    let was = schedules.find(request.store(), &id).await?;
    if was.is_none() && schedules.len() >= SCHEDULES_MAX {
        return Err(ApiError::quota(format!("quota maxSchedules exceeded, current limit: {SCHEDULES_MAX}")));
    }
    let now = request.now;
    let schedule = Schedule {
        created_at: was.map_or(now, |was| was.created_at),
        armed_at: now,
        cron,
        destination: destination.to_owned(),
        lines: Lines(draft.lines),
        body: draft.body,
        paused: false,
        caller: request.caller(),
    };
    schedules.change(request.store(), &id, |_| Ok::<_, ApiError>(Some(schedule))).await?;
    request.book().ticks.delete(request.store(), &id).await?;
    ok(&json!({ "scheduleId": id }))
}

/// `GET /v2/schedules`
pub(super) async fn list(request: &Received<'_>) -> Answer {
    let mut all = Vec::new();
    for (id, schedule) in request.book().schedules.all() {
        all.push(Value::Object(shown(request, &id, &schedule).await?));
    }
    ok(&all)
}

/// `GET /v2/schedules/{id}`
pub(super) async fn get(request: &Received<'_>, id: &str) -> Answer {
    let schedule = request.book().schedules.find(request.store(), id).await?.ok_or_else(unknown)?;
    ok(&shown(request, id, &schedule).await?)
}

/// `DELETE /v2/schedules/{id}`
pub(super) async fn delete(request: &Received<'_>, id: &str) -> Answer {
    request.book().schedules.find(request.store(), id).await?.ok_or_else(unknown)?;
    request.book().delete_schedule(request.store(), id).await?;
    empty()
}

/// `PATCH /v2/schedules/{id}/pause`, `/resume`: what would have ticked meanwhile is not made up.
pub(super) async fn pause(request: &Received<'_>, id: &str, paused: bool) -> Answer {
    match request.book().pause_schedule(request.store(), id, paused, request.now).await? {
        true => empty(),
        false => Err(unknown()),
    }
}

async fn shown(request: &Received<'_>, id: &str, schedule: &Schedule) -> Result<Object, ApiError> {
    let settings = Settings::parse(&schedule.lines.0).unwrap_or_default();
    let mut object = Object::new();
    view::put(&mut object, "scheduleId", id);
    view::put(&mut object, "destination", &schedule.destination);
    view::put(&mut object, "cron", &schedule.cron);
    view::put(&mut object, "createdAt", schedule.created_at.as_ms());
    view::put(&mut object, "method", settings.method.as_str());
    view::put(&mut object, "retries", settings.retries());
    view::put(&mut object, "isPaused", schedule.paused);
    view::header(&mut object, &settings);
    view::body(&mut object, &schedule.body, &settings);
    view::maybe(&mut object, "delay", settings.delay.map(view::seconds));
    view::maybe(&mut object, "timeout", settings.timeout.map(view::seconds));
    view::maybe(&mut object, "queueName", settings.queue.as_deref());
    view::settings(&mut object, &settings);
    let next = Cron::parse(&schedule.cron).ok().and_then(|cron| cron.next_after(request.now));
    view::maybe(&mut object, "nextScheduleTime", next.map(view::ms));
    view::put(&mut object, "callerIP", &schedule.caller);
    if let Some(tick) = request.book().ticks.find(request.store(), id).await? {
        last_tick(request, &mut object, &tick).await?;
    }
    Ok(object)
}

async fn last_tick(request: &Received<'_>, object: &mut Object, tick: &Arc<Tick>) -> Result<(), ApiError> {
    let mut states = Object::new();
    for message in &tick.messages {
        let Some(id) = ids::parse_message(message) else { continue };
        let state = match request.store().delivery(id).await?.map(|row| row.delivery.state) {
            Some(DeliveryState::Pending | DeliveryState::Leased) => "IN_PROGRESS",
            Some(DeliveryState::Delivered) => "SUCCESS",
            Some(DeliveryState::Dead | DeliveryState::Cancelled) => "FAIL",
            // Gone by age.
            None => continue,
        };
        view::put(&mut states, message, state);
    }
    view::put(object, "lastScheduleTime", tick.at.as_ms());
    object.insert("lastScheduleStates".to_owned(), Value::Object(states));
    view::maybe(object, "error", tick.error.as_deref());
    Ok(())
}

fn unknown() -> ApiError {
    ApiError::not_found("schedule not found")
}
