//! `[destinations.NAME]` and `[[routes]]`.

use hookhaven_core::glob;

use super::write::{Toml, listed, quoted};
use crate::{
    Plan,
    deploy::Site,
    design::{DestinationDesign, OrderingDesign, RetryDesign, RouteDesign},
    words::duration,
};

pub fn write(toml: &mut Toml, plan: &Plan) {
    let site = Site::of(plan);
    for destination in &plan.design.destinations {
        one(toml, destination, &site);
    }
    for (n, design) in plan.design.routes.iter().enumerate() {
        route(toml, design, &plan.design.routes[..n]);
    }
}

fn one(toml: &mut Toml, destination: &DestinationDesign, site: &Site) {
    toml.table(&format!("destinations.{}", destination.name));
    let reach = site.handler_why.map(|why| format!(" {why}")).unwrap_or_default();
    let why = format!("Your handler: it checks the signature, does its work once, and answers 2xx.{reach}");
    toml.set(&why, "url", &quoted(&destination.url));
    let why = "Signs each attempt (Standard Webhooks); the handler has the same.";
    toml.set(why, "secret", &quoted(&format!("env:{}", destination.secret_variable)));
    toml.set(&destination.timeout.why, "timeout", &quoted(&duration(destination.timeout.value)));
    toml.set(&destination.concurrency.why, "concurrency", &destination.concurrency.value.to_string());
    if let Some(rate) = destination.rate_per_second.value {
        toml.set(&destination.rate_per_second.why, "rate", &quoted(&format!("{rate}/s")));
    }
}

fn route(toml: &mut Toml, route: &RouteDesign, earlier: &[RouteDesign]) {
    toml.blank();
    if takes_more(route, earlier) {
        toml.note(
            "Everything that no route above takes. `check` says that some events also go by one above: that is \
             meant, for the first that matches counts.",
        );
    }
    toml.line("[[routes]]");
    toml.line(&format!("source = {}", quoted(&route.source)));
    toml.line(&format!("events = {}", listed(&route.events)));
    toml.line(&format!("to = {}", listed(&[&route.to])));
    toml.set(&route.deadline.why, "deadline", &quoted(&duration(route.deadline.value)));
    toml.set(&route.critical.why, "critical", if route.critical.value { "true" } else { "false" });
    let order = match &route.ordering.value {
        OrderingDesign::None => quoted("none"),
        OrderingDesign::Fifo { key } => ordering("fifo", key.as_deref(), None),
        OrderingDesign::Latest { key, version } => ordering("latest", key.as_deref(), version.as_deref()),
    };
    toml.set(&route.ordering.why, "ordering", &order);
    toml.set(&route.retry.why, "retry", &retry(&route.retry.value));
    if let Some(max_age) = route.retry.value.max_age {
        toml.line(&format!("max_age = {}", quoted(&duration(max_age))));
    }
    if route.answers.value {
        toml.set(&route.answers.why, "answer", &quoted("handler"));
    }
}

/// Whether a route above takes some of the same types.
fn takes_more(route: &RouteDesign, earlier: &[RouteDesign]) -> bool {
    let of_source = || earlier.iter().filter(|other| other.source == route.source);
    let meet = |a: &String, b: &String| glob::matches(a, b) || glob::matches(b, a);
    of_source().any(|other| other.events.iter().any(|a| route.events.iter().any(|b| meet(a, b))))
}

fn ordering(mode: &str, key: Option<&str>, version: Option<&str>) -> String {
    let named = |what: &str, place: Option<&str>| place.map(|place| format!(", {what} = {}", quoted(place)));
    match (key, version) {
        (None, None) => quoted(mode),
        _ => format!(
            "{{ mode = {}{}{} }}",
            quoted(mode),
            named("key", key).unwrap_or_default(),
            named("version", version).unwrap_or_default()
        ),
    }
}

fn retry(retry: &RetryDesign) -> String {
    format!(
        "{{ attempts = {}, initial = {}, factor = {:?}, max = {} }}",
        retry.attempts,
        quoted(&duration(retry.initial)),
        retry.factor,
        quoted(&duration(retry.max))
    )
}
