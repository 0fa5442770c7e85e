//! Which lines each chart has. A chart is one item here.

use super::Unit;

/// A chart: what it is called and what it draws.
pub(crate) struct Plan {
    /// On its page, once.
    pub id: &'static str,
    pub title: &'static str,
    pub unit: Unit,
    pub lines: &'static [Line],
}

pub(crate) struct Line {
    /// As the API calls it.
    pub metric: &'static str,
    pub name: &'static str,
    /// Number of the colour in the style sheet, from 1.
    pub colour: u8,
}

const fn line(metric: &'static str, name: &'static str, colour: u8) -> Line {
    Line { metric, name, colour }
}

pub(crate) const ARRIVALS: Plan = Plan {
    id: "arrivals",
    title: "Events in",
    unit: Unit::Rate,
    lines: &[line("received", "received", 1), line("duplicates", "duplicates", 2), line("rejected", "rejected", 4)],
};

pub(crate) const ATTEMPTS: Plan = Plan {
    id: "attempts",
    title: "Deliveries out",
    unit: Unit::Rate,
    lines: &[line("delivered", "delivered", 1), line("retries", "failed, tried again", 2), line("dead", "dead", 4)],
};

pub(crate) const ANSWERS: Plan = Plan {
    id: "answers",
    title: "Arrival to answer",
    unit: Unit::Milliseconds,
    lines: &[line("answer_p50_ms", "p50", 5), line("answer_p95_ms", "p95", 3), line("answer_p99_ms", "p99", 2)],
};

pub(crate) const TOOK: Plan = Plan {
    id: "took",
    title: "How long attempts took",
    unit: Unit::Milliseconds,
    lines: &[line("attempt_p50_ms", "p50", 5), line("attempt_p95_ms", "p95", 3), line("attempt_p99_ms", "p99", 2)],
};

pub(crate) const END_TO_END: Plan = Plan {
    id: "end-to-end",
    title: "Arrival to delivery",
    unit: Unit::Milliseconds,
    lines: &[
        line("end_to_end_p50_ms", "p50", 5),
        line("end_to_end_p95_ms", "p95", 3),
        line("end_to_end_p99_ms", "p99", 2),
    ],
};

pub(crate) const WAITING: Plan =
    Plan { id: "waiting", title: "Deliveries waiting", unit: Unit::Count, lines: &[line("depth", "waiting", 3)] };
