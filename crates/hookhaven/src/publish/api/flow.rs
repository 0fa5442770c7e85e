//! Flow-control keys: how they stand, pausing, pinning, beginning their count anew.

use std::{num::NonZeroU32, time::Duration};

use hookhaven_core::Lane;
use hookhaven_store::LaneSize;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{Answer, Received, empty, ok};
use crate::publish::{book::FlowKey, error::ApiError, route::FlowAction, view};

const PERIOD_MAX_S: u64 = 7 * 86_400;
const KEY_BYTES_MAX: usize = 256;

/// `GET /v2/flowControl/{key}`
pub(super) async fn get(request: &Received<'_>, name: &str) -> Answer {
    let known = request.book().flows.find(request.store(), name).await?;
    let key = known.ok_or_else(|| ApiError::not_found("flow control key not found"))?;
    let sizes = request.store().lane_sizes(&[Lane::of_flow(name)]).await?;
    ok(&shown(request, name, &key, sizes.first().copied().unwrap_or_default()))
}

/// `GET /v2/flowControl?search=`
pub(super) async fn list(request: &Received<'_>, query: &str) -> Answer {
    let search = parameters(query, &["search"])?.into_iter().next().map(|(_, value)| value).unwrap_or_default();
    let mut keys = request.book().flows.all();
    keys.retain(|(name, _)| name.contains(&search));
    let lanes: Vec<_> = keys.iter().map(|(name, _)| Lane::of_flow(name)).collect();
    let sizes = request.store().lane_sizes(&lanes).await?;
    ok(&keys.iter().zip(sizes).map(|((name, key), size)| shown(request, name, key, size)).collect::<Value>())
}

/// `POST /v2/flowControl/{key}/{action}`; a key that nobody has carried yet is made by it.
pub(super) async fn act(request: &Received<'_>, name: &str, action: FlowAction, query: &str) -> Answer {
    if name.len() > KEY_BYTES_MAX {
        return Err(ApiError::bad(format!("invalid flow control key: longer than {KEY_BYTES_MAX} bytes")));
    }
    request.book().flows.find(request.store(), name).await?;
    let change = |was: Option<&FlowKey>| {
        let was = was.cloned();
        let mut key = was.clone().unwrap_or_default();
        match action {
            FlowAction::Pause => key.paused = true,
            FlowAction::Resume => key.paused = false,
            FlowAction::Pin => {
                pin(&mut key, query)?;
                reset(&mut key, request);
            }
            FlowAction::Unpin => unpin(&mut key, query)?,
            FlowAction::ResetRate | FlowAction::Reset => reset(&mut key, request),
        }
        Ok::<_, ApiError>((was.as_ref() != Some(&key)).then_some(key))
    };
    request.book().flows.change(request.store(), name, change).await?;
    empty()
}

/// `GET /v2/globalParallelism`
pub(super) fn parallelism(request: &Received<'_>) -> Answer {
    let now = request.parts.traffic.as_ref().map_or(0, |traffic| traffic.in_flight());
    ok(&json!({ "parallelismMax": request.config.worker.slots, "parallelismCount": now }))
}

fn reset(key: &mut FlowKey, request: &Received<'_>) {
    key.reset_at = request.now;
    key.resets += 1;
}

fn pin(key: &mut FlowKey, query: &str) -> Result<(), ApiError> {
    for (name, value) in parameters(query, &["parallelism", "rate", "period"])? {
        let bad = || ApiError::bad(format!("invalid {name}: {value:?}"));
        let number: u64 = value.parse().map_err(|_| bad())?;
        let limit = || u32::try_from(number).ok().and_then(NonZeroU32::new).ok_or_else(bad);
        match name.as_str() {
            "parallelism" => {
                key.parallelism = Some(limit()?);
                key.parallelism_pinned = true;
            }
            "rate" => {
                key.rate = Some(limit()?);
                key.rate_pinned = true;
            }
            _ if (1..=PERIOD_MAX_S).contains(&number) => {
                key.period_ms = number * 1_000;
                key.rate_pinned = true;
            }
            _ => return Err(bad()),
        }
    }
    Ok(())
}

fn unpin(key: &mut FlowKey, query: &str) -> Result<(), ApiError> {
    for (name, value) in parameters(query, &["parallelism", "rate"])? {
        let unpins = match value.to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => return Err(ApiError::bad(format!("invalid {name}: {value:?}"))),
        };
        match name.as_str() {
            "parallelism" => key.parallelism_pinned &= !unpins,
            _ => key.rate_pinned &= !unpins,
        }
    }
    Ok(())
}

fn parameters(query: &str, known: &[&str]) -> Result<Vec<(String, String)>, ApiError> {
    let given = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "qstash_token");
    let given = given.map(|(name, value)| {
        if !known.contains(&&*name) {
            return Err(ApiError::bad(format!("unknown parameter: {name:?}")));
        }
        Ok((name.into_owned(), value.into_owned()))
    });
    given.collect()
}

fn shown(request: &Received<'_>, name: &str, key: &FlowKey, size: LaneSize) -> Value {
    let now = request.parts.traffic.as_ref().map(|traffic| traffic.flow(name)).unwrap_or_default();
    // The worker may not have heard of a reset yet.
    let window = now.period_began_at.filter(|began_at| *began_at >= key.reset_at);
    let period = if key.period_ms == 0 { Duration::from_secs(1) } else { key.period() };
    let began_at = window.unwrap_or(key.reset_at);
    json!({
        "flowControlKey": name,
        "waitListSize": size.waiting,
        "parallelismMax": key.parallelism.map_or(0, NonZeroU32::get),
        "parallelismCount": size.leased,
        "rateMax": key.rate.map_or(0, NonZeroU32::get),
        "rateCount": window.map_or(0, |_| now.count),
        "ratePeriod": view::seconds(period),
        "ratePeriodStart": began_at.as_s(),
        "isPaused": key.paused,
        "isPinnedParallelism": key.parallelism_pinned,
        "isPinnedRate": key.rate_pinned,
    })
}
