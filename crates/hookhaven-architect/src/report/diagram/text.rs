//! The path of an event, drawn with characters, for a viewer with letters of one width.

use super::{Diagram, cut, wrapped};

/// Between the edges of the gateway's box.
const INNER_CHARS: usize = 70;
const NAME_CHARS_MAX: usize = 32;
const PATH_CHARS_MAX: usize = 44;

pub fn text(diagram: &Diagram) -> String {
    let mut lines: Vec<String> = Vec::new();
    let names = column(diagram.senders.iter().map(|s| s.title.as_str()), NAME_CHARS_MAX);
    let paths = column(diagram.senders.iter().map(|s| s.path.as_str()), PATH_CHARS_MAX);
    for ((name, path), sender) in names.iter().zip(&paths).zip(&diagram.senders) {
        lines.push(format!("{name} ──▶ {path}  {}", sender.load));
    }
    lines.extend(["   │", "   ▼"].map(str::to_owned));
    lines.push(format!("┌─ Hookhaven {}┐", "─".repeat(INNER_CHARS - 11)));
    steps(&diagram.before, 1, &mut lines);
    lines.push(ruled(&diagram.line));
    steps(&diagram.after, diagram.before.len() + 1, &mut lines);
    lines.push(format!("└{}┘", "─".repeat(INNER_CHARS + 1)));
    lines.extend(["   │  signed anew at each attempt, always under the same webhook-id", "   ▼"].map(str::to_owned));
    let names = column(diagram.handlers.iter().map(|h| h.name.as_str()), NAME_CHARS_MAX);
    for (name, handler) in names.iter().zip(&diagram.handlers) {
        lines.push(format!("{name}  {}", handler.limits));
    }
    lines.push(format!("   └─ {}", diagram.end));
    lines.join("\n")
}

fn steps(steps: &[String], first: usize, lines: &mut Vec<String>) {
    for (i, step) in steps.iter().enumerate() {
        for (j, part) in wrapped(step, INNER_CHARS - 5).iter().enumerate() {
            let number = if j == 0 { format!("{}.", first + i) } else { String::new() };
            lines.push(format!("│ {number:<3}{part:<width$} │", width = INNER_CHARS - 4));
        }
    }
}

/// The line from which on nothing is lost.
fn ruled(what: &str) -> String {
    let what = cut(what, INNER_CHARS - 4);
    let rest = (INNER_CHARS + 1).saturating_sub(what.chars().count() + 3);
    format!("╞═ {what} {}╡", "═".repeat(rest))
}

/// Each as wide as the widest.
fn column<'a>(texts: impl Iterator<Item = &'a str>, chars_max: usize) -> Vec<String> {
    let cut: Vec<String> = texts.map(|text| cut(text, chars_max)).collect();
    let width = cut.iter().map(|text| text.chars().count()).max().unwrap_or_default();
    cut.into_iter().map(|text| format!("{text:<width$}")).collect()
}
