//! Flow-control keys: how they stand, pausing, pinning, beginning their count anew.

use std::{num::NonZeroU32, time::Duration};

use hookhaven_core::Lane;
use hookhaven_store::LaneSize;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{Answer, Received, empty, ok};
use crate::{
    publications::FlowChange,
    publish::{book::FlowKey, error::ApiError, route::FlowAction, settings::FLOW_PERIOD_MAX, view},
};

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
    let change = match action {
        FlowAction::Pause => FlowChange::Pause,
        FlowAction::Resume => FlowChange::Resume,
        FlowAction::Pin => pin(query)?,
        FlowAction::Unpin => unpin(query)?,
        FlowAction::ResetRate | FlowAction::Reset => FlowChange::Reset,
    };
    request.book().change_flow(request.store(), name, change, request.now).await?;
    empty()
}

/// `GET /v2/globalParallelism`
pub(super) fn parallelism(request: &Received<'_>) -> Answer {
    let now = request.parts.traffic.as_ref().map_or(0, |traffic| traffic.in_flight());
    ok(&json!({ "parallelismMax": request.config.worker.slots, "parallelismCount": now }))
}

fn pin(query: &str) -> Result<FlowChange, ApiError> {
    let (mut parallelism, mut rate, mut period) = (None, None, None);
    for (name, value) in parameters(query, &["parallelism", "rate", "period"])? {
        let bad = || ApiError::bad(format!("invalid {name}: {value:?}"));
        let number: u64 = value.parse().map_err(|_| bad())?;
        let limit = || u32::try_from(number).ok().and_then(NonZeroU32::new).ok_or_else(bad);
        match name.as_str() {
            "parallelism" => parallelism = Some(limit()?),
            "rate" => rate = Some(limit()?),
            _ if (1..=FLOW_PERIOD_MAX.as_secs()).contains(&number) => period = Some(Duration::from_secs(number)),
            _ => return Err(bad()),
        }
    }
    Ok(FlowChange::Pin { parallelism, rate, period })
}

fn unpin(query: &str) -> Result<FlowChange, ApiError> {
    let (mut parallelism, mut rate) = (false, false);
    for (name, value) in parameters(query, &["parallelism", "rate"])? {
        let unpins = match value.to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => return Err(ApiError::bad(format!("invalid {name}: {value:?}"))),
        };
        let meant = if name == "parallelism" { &mut parallelism } else { &mut rate };
        *meant |= unpins;
    }
    Ok(FlowChange::Unpin { parallelism, rate })
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
