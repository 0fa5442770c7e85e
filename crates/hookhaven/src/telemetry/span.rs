//! A span: one piece of work, from begin to end, with what there is to say of it. Made by whoever does the work.
//!
//! Not here: whether spans are made at all and where they go (the tracer).

use std::{borrow::Cow, fmt::Display, sync::Arc};

use hookhaven_core::Time;

use super::{Context, Inner};

/// What part of an exchange it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Answers somebody.
    Server,
    /// Asks somebody.
    Client,
    /// Neither.
    Internal,
}

/// What is said under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(Cow<'static, str>),
    Number(i64),
    Yes(bool),
}

impl Value {
    pub fn display(value: impl Display) -> Self {
        Value::Text(value.to_string().into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned().into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Value::Number(number.into())
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Value::Number(number.into())
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Value::Yes(yes)
    }
}

/// A finished span that is to be exported.
#[derive(Clone, Debug)]
pub struct Span {
    pub context: Context,
    pub parent: Option<[u8; 8]>,
    /// Whether the parent is another program's, or was another process's of ours.
    pub parent_is_remote: bool,
    pub name: &'static str,
    pub kind: Kind,
    pub began_at: Time,
    pub ended_at: Time,
    pub attributes: Vec<(&'static str, Value)>,
    /// Why the work failed; `None`: it did not.
    pub error: Option<String>,
}

/// A span that has begun. One that is dropped was never there.
#[derive(Debug)]
pub struct Open {
    recorder: Arc<Inner>,
    span: Span,
}

impl Open {
    pub(super) fn new(
        recorder: Arc<Inner>,
        context: Context,
        parent: Option<[u8; 8]>,
        name: &'static str,
        kind: Kind,
        began_at: Time,
    ) -> Self {
        let span = Span {
            context,
            parent,
            parent_is_remote: true,
            name,
            kind,
            began_at,
            ended_at: began_at,
            attributes: Vec::new(),
            error: None,
        };
        Open { recorder, span }
    }

    /// Where it stands, for what comes after it.
    pub fn context(&self) -> &Context {
        &self.span.context
    }

    /// Says something of it. Not asked where nobody records it.
    pub fn set<V: Into<Value>>(&mut self, name: &'static str, value: impl FnOnce() -> V) {
        if self.span.context.sampled {
            self.span.attributes.push((name, value().into()));
        }
    }

    pub fn set_display<V: Display>(&mut self, name: &'static str, value: V) {
        self.set(name, || Value::display(value));
    }

    /// The work failed; why, in words without secrets.
    pub fn fail(&mut self, why: impl Display) {
        if self.span.context.sampled {
            self.span.error = Some(why.to_string());
        }
    }

    /// Records a piece of it that is over.
    pub fn child(&self, name: &'static str, kind: Kind, from: Time, until: Time, error: Option<String>) {
        if !self.span.context.sampled {
            return;
        }
        let context = Context { span_id: self.recorder.span_id(), ..self.span.context.clone() };
        self.recorder.record(Span {
            context,
            parent: Some(self.span.context.span_id),
            parent_is_remote: false,
            name,
            kind,
            began_at: from,
            ended_at: until,
            attributes: Vec::new(),
            error,
        });
    }

    /// It is over.
    pub fn end(mut self, at: Time) {
        if self.span.context.sampled {
            self.span.ended_at = at.max(self.span.began_at);
            self.recorder.record(self.span);
        }
    }
}
