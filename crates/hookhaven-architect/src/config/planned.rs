//! Senders that are to come, ready to be switched on.

use hookhaven_core::senders::{Declaration, Handshake};

use super::write::{Toml, quoted};
use crate::{Plan, design::variable, intake::Planned};

pub fn write(toml: &mut Toml, plan: &Plan) {
    let handler = &plan.intake.infrastructure.handler_url;
    for planned in &plan.intake.planned {
        one(toml, planned, handler, plan.intake.infrastructure.public_url.is_some());
    }
}

fn one(toml: &mut Toml, planned: &Planned, handler: &str, has_url: bool) {
    let name = &planned.name;
    let title = planned.sender.map_or(&**name, |declared| declared.title);
    let when = match planned.in_months {
        Some(0) => " now".to_owned(),
        Some(1) => " in a month".to_owned(),
        Some(months) => format!(" in {months} months"),
        None => String::new(),
    };
    toml.blank();
    toml.note(&format!(
        "{title} is to come{when}: take the marks off the lines below.{}",
        before(planned.sender, has_url)
    ));
    toml.line(&format!("# [sources.{name}]"));
    toml.line(&format!("# sender = {}", quoted(planned.sender.map_or("hmac", |declared| declared.name))));
    match planned.sender {
        Some(declared) if !declared.verifies() => toml.line("# allow = [\"127.0.0.1\"]"),
        Some(declared) if declared.hands_over() => {
            toml.line(&format!("# handover = \"/var/lib/hookhaven/{name}.secret\""));
        }
        _ => toml.line(&format!("# secrets = [\"env:{}_WEBHOOK_SECRET\"]", variable(name))),
    }
    if planned.sender.is_some_and(|declared| declared.handshakes.iter().any(Handshake::compares_token)) {
        toml.line(&format!("# verify_token = \"env:{}_VERIFY_TOKEN\"", variable(name)));
    }
    if planned.sender.is_none_or(|declared| declared.name == "hmac") {
        toml.line(&format!("# [sources.{name}.hmac]"));
        toml.line("# header = \"X-Signature\"");
    }
    toml.line(&format!("# [destinations.{name}-handler]"));
    toml.line(&format!("# url = {}", quoted(&format!("{handler}/webhooks/{name}"))));
    toml.line(&format!("# secret = \"env:{}_HANDLER_SECRET\"", variable(name)));
    toml.line("# [[routes]]");
    toml.line(&format!("# source = {}", quoted(name)));
    toml.line(&format!("# to = [{}]", quoted(&format!("{name}-handler"))));
}

/// What has to be there before the first of its events.
fn before(declared: Option<&Declaration>, has_url: bool) -> String {
    let Some(declared) = declared else {
        return " Its scheme is not known here: describe it first.".to_owned();
    };
    if declared.signs_url() && !has_url {
        " It signs the URL: set server.public_url first, and see that no proxy changes path or query.".to_owned()
    } else {
        String::new()
    }
}
