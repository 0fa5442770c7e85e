//! `hookhaven trigger SOURCE --list`: the types and chains there are samples of.

use hookhaven_core::{senders, source::Source};
use serde_json::{Value, json};

use super::source;
use crate::{
    cli::{DONE, print::Screen},
    config::Config,
};

pub(super) fn act(name: Option<&str>, config: &Config, screen: &mut Screen) -> anyhow::Result<u8> {
    let sources: Vec<&Source> = match name {
        Some(name) => vec![&**source(config, name)?],
        None => config.sources.values().map(|source| &**source).collect(),
    };
    if screen.json {
        let all: Vec<Value> = sources.iter().map(|source| told(source)).collect();
        return screen.value(&json!({ "items": all })).map(|()| DONE);
    }
    for source in sources {
        screen.line(format!("{} ({})", source.name, source.sender.name()))?;
        for event_type in source.sender.sample_types() {
            screen.line(format!("  {event_type}"))?;
        }
        for chain in chains(source) {
            let steps: Vec<&str> = chain.steps.iter().map(|step| step.event_type).collect();
            screen.line(format!("  {}: {}", chain.name, chain.title))?;
            screen.line(format!("    {}", steps.join(" → ")))?;
        }
    }
    Ok(DONE)
}

/// Of the source's sender.
pub(super) fn chains(source: &Source) -> &'static [senders::Chain] {
    senders::find(source.sender.name()).map_or(&[], |declaration| declaration.chains)
}

fn told(source: &Source) -> Value {
    let chain = |chain: &senders::Chain| {
        let steps: Vec<&str> = chain.steps.iter().map(|step| step.event_type).collect();
        json!({ "name": chain.name, "title": chain.title, "types": steps })
    };
    json!({
        "source": &*source.name,
        "sender": source.sender.name(),
        "types": source.sender.sample_types(),
        "chains": chains(source).iter().map(chain).collect::<Vec<_>>(),
    })
}
