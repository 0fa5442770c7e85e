//! A collector of traces: takes what OpenTelemetry's exporters send (OTLP over HTTP, protobuf) and remembers the spans.

use hookhaven_load::gateway::poll;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value, trace::v1::Span,
};
use prost::Message as _;

use super::{
    PATIENCE,
    handler::{Handler, Received, Reply},
};

pub struct Collector {
    pub handler: Handler,
}

/// A span as the tests look at it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub service: String,
    /// Tells the process.
    pub instance: String,
    pub trace: String,
    pub id: String,
    /// Empty for the first of a trace.
    pub parent: String,
    pub span: Span,
}

impl Seen {
    pub fn name(&self) -> &str {
        &self.span.name
    }

    /// An attribute's text, or its number as one; empty if it is not there.
    pub fn get(&self, name: &str) -> String {
        attribute(&self.span.attributes, name)
    }

    pub fn failed(&self) -> bool {
        self.span.status.as_ref().is_some_and(|status| status.code == 2)
    }
}

fn attribute(attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue], name: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == name);
    match found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

impl Collector {
    pub async fn start() -> Self {
        Self::doing(|_| Reply::Status(200)).await
    }

    pub async fn doing(script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Collector { handler: Handler::start(script).await }
    }

    /// A section of the config file that exports here at once, with further keys.
    pub fn config(&self, more: &str) -> String {
        format!("[telemetry]\notlp = \"http://{}\"\nbatch_delay = \"10ms\"\n{more}\n", self.handler.address)
    }

    /// Every span that was sent, in the order of arrival.
    pub fn spans(&self) -> Vec<Seen> {
        self.handler.received().iter().flat_map(spans_of).collect()
    }

    /// Waits until the spans are as they have to be.
    pub async fn until(&self, what: &str, holds: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        let found = poll(PATIENCE, async || Some(self.spans()).filter(|spans| holds(spans))).await;
        found.unwrap_or_else(|| panic!("waited in vain for {what}; there are {:#?}", self.spans()))
    }
}

fn spans_of(received: &Received) -> Vec<Seen> {
    assert_eq!((received.method.as_str(), &*received.path), ("POST", "/v1/traces"));
    assert_eq!(received.header("content-type"), "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(&received.body[..]).expect("OTLP's protobuf");
    let mut seen = Vec::new();
    for resource in request.resource_spans {
        let of = resource.resource.expect("a resource").attributes;
        let (service, instance) = (attribute(&of, "service.name"), attribute(&of, "service.instance.id"));
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            seen.push(Seen {
                service: service.clone(),
                instance: instance.clone(),
                trace: hex::encode(&span.trace_id),
                id: hex::encode(&span.span_id),
                parent: hex::encode(&span.parent_span_id),
                span,
            });
        }
    }
    seen
}
