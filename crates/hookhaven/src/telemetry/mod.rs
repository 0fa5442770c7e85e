//! Telemetry: what one event did, as spans of a trace that a collector of OpenTelemetry's takes in (OTLP over HTTP).
//!
//! - `context` is what passes from one program to the next (W3C Trace Context): read from senders, kept with the event as
//!   lines of ours, given to handlers. So attempts of any node and hour join the request's trace.
//! - `span` is one piece of work with its begin and end. Whoever does the work makes it; nobody makes one where
//!   `telemetry.otlp` is not set.
//! - `export` takes finished spans from a bounded queue to the collector. It never makes anybody wait: what does not fit
//!   is dropped, and counted by why.
//!
//! Time and randomness come in, the way out is everybody's (`egress`), so there is nothing here of OpenTelemetry's SDK but
//! the types of its wire format (`encode`). Not here: metrics and log lines, which have their own ways.

mod context;
mod encode;
mod export;
mod span;

use std::sync::Arc;

use hookhaven_core::Time;
use hookhaven_store::clock::{Clock, Entropy};
use tokio::sync::mpsc;

pub use self::{
    context::{Context, is_line},
    export::Exporting,
    span::{Kind, Open, Span, Value},
};
use crate::{config::Telemetry, egress::Egress, metrics::Metrics};

/// Begins spans, or none at all. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    /// The share of traces that is recorded, of those that begin here.
    sample: f64,
    entropy: Arc<dyn Entropy>,
    queue: mpsc::Sender<Span>,
    metrics: Arc<Metrics>,
}

/// Starts exporting if the configuration says where to; else the tracer is off.
pub fn start(
    settings: &Telemetry,
    egress: Arc<dyn Egress>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    metrics: Arc<Metrics>,
) -> (Tracer, Option<Exporting>) {
    let Some(endpoint) = settings.endpoint.clone() else { return (Tracer::default(), None) };
    let (queue, spans) = mpsc::channel(settings.queue_max);
    let exporter = export::Exporter::new(endpoint, settings, egress, clock, &*entropy, metrics.clone());
    let tracer = Tracer::new(settings.sample, entropy, queue, metrics);
    (tracer, Some(exporter.start(spans)))
}

impl Tracer {
    fn new(sample: f64, entropy: Arc<dyn Entropy>, queue: mpsc::Sender<Span>, metrics: Arc<Metrics>) -> Self {
        Tracer(Some(Arc::new(Inner { sample, entropy, queue, metrics })))
    }

    /// A span that goes on where `parent` is, or begins a trace. Whether it is recorded is the parent's decision, else
    /// one by ratio. `None` if the tracer is off; `parent` is not asked for then.
    pub fn begin(
        &self,
        name: &'static str,
        kind: Kind,
        parent: impl FnOnce() -> Option<Context>,
        at: Time,
    ) -> Option<Open> {
        let inner = self.0.as_ref()?;
        let parent = parent();
        let context = match &parent {
            Some(parent) => Context { span_id: inner.span_id(), ..parent.clone() },
            None => inner.root(),
        };
        Some(Open::new(inner.clone(), context, parent.map(|parent| parent.span_id), name, kind, at))
    }
}

impl Inner {
    /// Hands a finished span on; drops it if nobody takes them fast enough.
    fn record(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            self.metrics.trace_spans("queue_full", 1);
        }
    }

    fn root(&self) -> Context {
        let trace_id = self.random::<16>();
        Context { trace_id, span_id: self.span_id(), sampled: is_sampled(&trace_id, self.sample), state: None }
    }

    fn span_id(&self) -> [u8; 8] {
        self.random::<8>()
    }

    /// Never all zeroes, which would be no id.
    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        if bytes.iter().all(|byte| *byte == 0) {
            bytes[N - 1] = 1;
        }
        bytes
    }
}

/// By the trace id, so that programs with the same ratio decide alike: its last 7 bytes are random (W3C Trace Context
/// level 2), and OpenTelemetry compares those.
fn is_sampled(trace_id: &[u8; 16], ratio: f64) -> bool {
    let mut last = [0; 8];
    last[1..].copy_from_slice(&trace_id[9..]);
    let place = u64::from_be_bytes(last) as f64 / (1_u64 << 56) as f64;
    // Those with the highest values are kept, as its samplers by ratio do.
    place >= 1.0 - ratio
}

#[cfg(test)]
mod tests {
    use hookhaven_store::clock::SeededEntropy;

    use super::*;

    const NOW: Time = Time::from_s(1_790_000_000);

    fn tracer(sample: f64, room: usize) -> (Tracer, mpsc::Receiver<Span>, Arc<Metrics>) {
        let (queue, spans) = mpsc::channel(room);
        let metrics = Arc::new(Metrics::new(10, NOW, Arc::default()));
        (Tracer::new(sample, Arc::new(SeededEntropy::new(7)), queue, metrics.clone()), spans, metrics)
    }

    fn sampled_of_a_thousand(sample: f64) -> usize {
        let (tracer, ..) = tracer(sample, 1);
        let begun = (0..1_000).filter_map(|_| tracer.begin("request", Kind::Server, || None, NOW));
        begun.filter(|span| span.context().sampled).count()
    }

    #[test]
    fn off_it_makes_nothing_and_does_not_even_look() {
        assert!(Tracer::default().begin("request", Kind::Server, || panic!("asked"), NOW).is_none());
    }

    #[test]
    fn a_trace_that_begins_here_is_sampled_by_ratio() {
        assert_eq!(sampled_of_a_thousand(1.0), 1_000);
        assert_eq!(sampled_of_a_thousand(0.0), 0);
        let tenth = sampled_of_a_thousand(0.1);
        assert!((60..150).contains(&tenth), "{tenth}");
    }

    #[test]
    fn a_trace_that_began_elsewhere_is_sampled_as_it_says() {
        let (tracer, mut spans, _) = tracer(0.0, 4);
        for (flags, sampled) in [("01", true), ("00", false)] {
            let parent = Context::parse(&format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}"));
            let span = tracer.begin("request", Kind::Server, || parent.clone(), NOW).unwrap();
            assert_eq!((span.context().sampled, span.context().trace_id), (sampled, parent.unwrap().trace_id));
            span.end(NOW);
        }
        let span = spans.try_recv().unwrap();
        assert_eq!(span.parent.map(hex::encode).as_deref(), Some("00f067aa0ba902b7"));
        assert!(spans.try_recv().is_err(), "what is not sampled is not recorded");
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let (tracer, _spans, metrics) = tracer(1.0, 2);
        for _ in 0..5 {
            tracer.begin("request", Kind::Server, || None, NOW).unwrap().end(NOW);
        }
        let shown = metrics.render(&hookhaven_store::Stats::default(), &[], NOW);
        assert!(shown.contains("hookhaven_trace_spans_total{fate=\"queue_full\"} 3"), "{shown}");
    }
}
