//! What may be said outright, by its name in the file.
//!
//! Not here: what is read from free text instead (`text`).

use super::{Effect, Framework, Host, OrderKind, State, Trouble};

pub const FRAMEWORKS: &[(&str, Framework)] = &[
    ("fastify", Framework::Fastify),
    ("express", Framework::Express),
    ("next", Framework::Next),
    ("fastapi", Framework::FastApi),
    ("django", Framework::Django),
    ("axum", Framework::Axum),
    ("go", Framework::Go),
];

pub const EFFECTS: &[(&str, Effect)] = &[
    ("database", Effect::Database),
    ("mail", Effect::Mail),
    ("money", Effect::Money),
    ("build", Effect::Build),
    ("message", Effect::Message),
    ("fulfilment", Effect::Fulfilment),
    ("record", Effect::Record),
    ("call", Effect::Call),
];

pub const TROUBLES: &[(&str, Trouble)] = &[
    ("timed-out", Trouble::TimedOut),
    ("twice", Trouble::Twice),
    ("lost", Trouble::Lost),
    ("out-of-order", Trouble::OutOfOrder),
    ("bad-signature", Trouble::BadSignature),
    ("leaked-secret", Trouble::LeakedSecret),
    ("overload", Trouble::Overload),
];

pub const HOSTS: &[(&str, Host)] = &[
    ("serverless", Host::Serverless),
    ("machine", Host::Machine),
    ("containers", Host::Containers),
    ("kubernetes", Host::Kubernetes),
    ("platform", Host::Platform),
];

pub const STATES: &[(&str, State)] = &[
    ("nothing", State::Nothing),
    ("synchronous", State::Synchronous),
    ("queued", State::Queued),
    ("mature", State::Mature),
    ("hosted", State::Hosted),
];

/// With whether only the newest counts.
pub const ORDERS: &[(&str, (OrderKind, bool))] = &[
    ("none", (OrderKind::None, false)),
    ("wished", (OrderKind::Wished, false)),
    ("newest", (OrderKind::Wished, true)),
    ("strict", (OrderKind::Strict, false)),
];

/// How a kind is written where it is said outright.
pub fn name_of<T: PartialEq>(names: &[(&'static str, T)], kind: &T) -> &'static str {
    names.iter().find(|(_, known)| known == kind).map_or("", |(name, _)| name)
}

pub fn effects(effects: &[Effect]) -> Vec<&'static str> {
    effects.iter().map(|effect| name_of(EFFECTS, effect)).collect()
}
