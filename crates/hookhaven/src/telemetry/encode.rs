//! Spans as a collector takes them: OTLP's protobuf messages, by the types that OpenTelemetry publishes.

use hookhaven_core::Time;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource,
    trace::v1::{self as otlp, ResourceSpans, ScopeSpans, Status, span::SpanKind, status::StatusCode},
};
use prost::Message;

use super::{Kind, Span, Value};

/// Whether the parent is remote is known, and it is (`SpanFlags` of OTLP).
const REMOTE_IS_KNOWN: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// Who speaks: of every span of this process.
#[derive(Clone, Debug)]
pub struct Speaker {
    pub service_name: String,
    /// Tells this process from others of the same name.
    pub instance: String,
}

/// The body of an export.
pub fn request(speaker: &Speaker, spans: &[Span]) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let scope = InstrumentationScope { name: "hookhaven".into(), version: version.into(), ..Default::default() };
    let attributes = vec![
        text("service.name", speaker.service_name.clone()),
        text("service.version", version.to_owned()),
        text("service.instance.id", speaker.instance.clone()),
    ];
    let spans = spans.iter().map(span).collect();
    let spans = ScopeSpans { scope: Some(scope), spans, schema_url: String::new() };
    let resource = Some(Resource { attributes, ..Default::default() });
    let all = ResourceSpans { resource, scope_spans: vec![spans], schema_url: String::new() };
    ExportTraceServiceRequest { resource_spans: vec![all] }.encode_to_vec()
}

/// Of an export that was taken: how many spans were not, and why. An answer that cannot be read says nothing.
pub fn refused(answer: &[u8]) -> Option<(u64, String)> {
    let partial = ExportTraceServiceResponse::decode(answer).ok()?.partial_success?;
    let count = u64::try_from(partial.rejected_spans).ok().filter(|count| *count > 0)?;
    Some((count, partial.error_message))
}

fn span(span: &Span) -> otlp::Span {
    let remote = if span.parent.is_some() && span.parent_is_remote { IS_REMOTE } else { 0 };
    otlp::Span {
        trace_id: span.context.trace_id.to_vec(),
        span_id: span.context.span_id.to_vec(),
        trace_state: span.context.state.as_deref().unwrap_or_default().to_owned(),
        parent_span_id: span.parent.map(Vec::from).unwrap_or_default(),
        flags: u32::from(span.context.sampled) | REMOTE_IS_KNOWN | remote,
        name: span.name.to_owned(),
        kind: kind(span.kind).into(),
        start_time_unix_nano: ns(span.began_at),
        end_time_unix_nano: ns(span.ended_at),
        attributes: span.attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
        status: span.error.clone().map(|message| Status { message, code: StatusCode::Error.into() }),
        ..Default::default()
    }
}

fn kind(kind: Kind) -> SpanKind {
    match kind {
        Kind::Server => SpanKind::Server,
        Kind::Client => SpanKind::Client,
        Kind::Internal => SpanKind::Internal,
    }
}

fn attribute(name: &str, value: &Value) -> KeyValue {
    match value {
        Value::Text(value) => text(name, value.to_string()),
        Value::Number(number) => key_value(name, any_value::Value::IntValue(*number)),
        Value::Yes(yes) => key_value(name, any_value::Value::BoolValue(*yes)),
    }
}

fn text(name: &str, value: String) -> KeyValue {
    key_value(name, any_value::Value::StringValue(value))
}

fn key_value(name: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

fn ns(at: Time) -> u64 {
    u64::try_from(at.as_us()).unwrap_or(0).saturating_mul(1_000)
}
