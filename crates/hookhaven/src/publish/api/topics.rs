//! URL groups: their endpoints and default settings.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, Received, empty, ok, publish};
use crate::publish::{
    book::{Endpoint, Group, Lines},
    destination,
    error::ApiError,
    limits::{ENDPOINTS_MAX, GROUPS_MAX},
    lines, names,
    settings::Settings,
};

#[derive(Deserialize)]
struct Endpoints {
    endpoints: Vec<Given>,
}

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    url: Option<String>,
}

#[derive(Deserialize)]
struct Patch {
    headers: Map<String, Value>,
}

/// `POST /v2/topics/{name}/endpoints`: makes the group; replaces endpoints of the same name, or the same address,
/// and adds the others.
pub(super) async fn put_endpoints(request: &Received<'_>, name: &str) -> Answer {
    names::check("url group name", name)?;
    let given = read(request)?.endpoints.into_iter().map(|given| {
        let url = given.url.as_deref().ok_or_else(|| ApiError::bad("invalid endpoint: it has no url"))?;
        let url = destination::url(url)?;
        publish::judge(request, &url)?;
        let name = given.name.filter(|name| !name.is_empty());
        name.as_deref().map_or(Ok(()), |name| names::check("endpoint name", name))?;
        Ok(Endpoint { name, url })
    });
    let given = given.collect::<Result<Vec<_>, ApiError>>()?;
    if given.is_empty() {
        return Err(ApiError::bad("invalid body: endpoints is empty"));
    }
    let groups = &request.book().groups;
    if groups.find(request.store(), name).await?.is_none() && groups.len() >= GROUPS_MAX {
        return Err(ApiError::quota(format!("quota maxUrlGroups exceeded, current limit: {GROUPS_MAX}")));
    }
    let change = |was: Option<&Group>| {
        let mut group = was.cloned().unwrap_or(Group { created_at: request.now, ..Group::default() });
        group.updated_at = request.now;
        given.into_iter().for_each(|endpoint| upsert(&mut group.endpoints, endpoint));
        if group.endpoints.len() > ENDPOINTS_MAX {
            return Err(ApiError::quota(format!(
                "quota maxEndpointsPerTopic exceeded, current limit: {ENDPOINTS_MAX}"
            )));
        }
        Ok(Some(group))
    };
    groups.change(request.store(), name, change).await?;
    empty()
}

/// `DELETE /v2/topics/{name}/endpoints`: with the last endpoint goes the group.
pub(super) async fn remove_endpoints(request: &Received<'_>, name: &str) -> Answer {
    let given = read(request)?.endpoints;
    if given.iter().any(|given| given.name.is_none() && given.url.is_none()) {
        return Err(ApiError::bad("invalid endpoint: give its name or its url"));
    }
    let groups = &request.book().groups;
    groups.find(request.store(), name).await?.ok_or_else(unknown)?;
    let change = |was: Option<&Group>| {
        let mut group = was.cloned().ok_or_else(unknown)?;
        group.endpoints.retain(|endpoint| !given.iter().any(|given| means(given, endpoint)));
        group.updated_at = request.now;
        Ok::<_, ApiError>(Some(group))
    };
    groups.change(request.store(), name, change).await?;
    if groups.get(name).is_some_and(|group| group.endpoints.is_empty()) {
        groups.delete(request.store(), name).await?;
    }
    empty()
}

/// `GET /v2/topics`
pub(super) fn list(request: &Received<'_>) -> Answer {
    let groups = request.book().groups.all();
    ok(&groups.iter().map(|(name, group)| shown(name, group)).collect::<Value>())
}

/// `GET /v2/topics/{name}`
pub(super) async fn get(request: &Received<'_>, name: &str) -> Answer {
    let group = request.book().groups.find(request.store(), name).await?.ok_or_else(unknown)?;
    ok(&shown(name, &group))
}

/// `DELETE /v2/topics/{name}`: what is on its way to it stays.
pub(super) async fn delete(request: &Received<'_>, name: &str) -> Answer {
    names::check("url group name", name)?;
    request.book().delete_group(request.store(), name).await?;
    empty()
}

/// `PATCH /v2/topics/{name}`: default settings of what is published to it.
pub(super) async fn patch(request: &Received<'_>, name: &str) -> Answer {
    let patch: Patch = serde_json::from_slice(request.body)
        .map_err(|why| ApiError::bad(format!("invalid body: expected headers: {why}")))?;
    let defaults = lines::of_json(&patch.headers)?;
    Settings::parse(&defaults)?.check(request.limits(), request.now)?;
    request.book().groups.find(request.store(), name).await?.ok_or_else(unknown)?;
    let change = |was: Option<&Group>| {
        let group = was.cloned().ok_or_else(unknown)?;
        Ok::<_, ApiError>(Some(Group { defaults: Lines(defaults), updated_at: request.now, ..group }))
    };
    request.book().groups.change(request.store(), name, change).await?;
    empty()
}

fn read(request: &Received<'_>) -> Result<Endpoints, ApiError> {
    serde_json::from_slice(request.body)
        .map_err(|why| ApiError::bad(format!("invalid body: expected a list of endpoints: {why}")))
}

fn upsert(endpoints: &mut Vec<Endpoint>, endpoint: Endpoint) {
    let same = |other: &&mut Endpoint| match &endpoint.name {
        Some(name) => other.name.as_ref() == Some(name),
        None => other.name.is_none() && other.url == endpoint.url,
    };
    match endpoints.iter_mut().find(same) {
        Some(there) => *there = endpoint,
        None => endpoints.push(endpoint),
    }
}

fn means(given: &Given, endpoint: &Endpoint) -> bool {
    match (&given.name, &given.url) {
        (Some(name), _) => endpoint.name.as_ref() == Some(name),
        (None, Some(url)) => endpoint.url == *url,
        (None, None) => false,
    }
}

fn shown(name: &str, group: &Group) -> Value {
    json!({
        "name": name,
        "createdAt": group.created_at.as_ms(),
        "updatedAt": group.updated_at.as_ms(),
        "endpoints": group.endpoints,
    })
}

fn unknown() -> ApiError {
    ApiError::not_found("url group not found")
}
