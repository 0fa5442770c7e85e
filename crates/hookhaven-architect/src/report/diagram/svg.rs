//! The path of an event as SVG that stands in a page: no script, no font and no image from elsewhere, its colours those
//! of the page's stylesheet.

use super::{Diagram, cut, wrapped};
use crate::report::html::escaped;

const WIDTH: usize = 960;
const EDGE: usize = 8;
const BOX_WIDTH: usize = 260;
const BOX_HEIGHT: usize = 56;
const GAP: usize = 14;
const MIDDLE_X: usize = 320;
const MIDDLE_WIDTH: usize = 320;
const RIGHT_X: usize = WIDTH - BOX_WIDTH;
const LINE_HEIGHT: usize = 19;
const STEP_CHARS: usize = 40;
/// Of a name, which is larger and bold, and of the lines below it.
const NAME_CHARS: usize = 30;
const LINE_CHARS: usize = 39;

/// `in_words` is what a reader hears instead of it.
pub fn svg(diagram: &Diagram, in_words: &str) -> String {
    let boxes = diagram.senders.len().max(diagram.handlers.len());
    let column = |count: usize| (count * (BOX_HEIGHT + GAP)).saturating_sub(GAP);
    let gate = Gate::of(diagram, column(boxes));
    let inner = column(boxes).max(gate.height);
    let height = inner + 54;
    let top = |count: usize| EDGE + (inner - column(count)) / 2;
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"path-title path-desc\">\n\
         <title id=\"path-title\">The path of an event</title>\n<desc id=\"path-desc\">{}</desc>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path class=\"tip\" d=\"M0 0 8 4 0 8z\"/></marker></defs>\n",
        escaped(in_words)
    );
    let first = top(diagram.senders.len());
    for (i, sender) in diagram.senders.iter().enumerate() {
        let y = first + i * (BOX_HEIGHT + GAP);
        out.push_str(&labelled(0, y, &sender.title, &[&sender.path, &sender.load]));
        out.push_str(&arrow(BOX_WIDTH, y + BOX_HEIGHT / 2, MIDDLE_X, gate.inlet_y()));
    }
    out.push_str(&gate.drawn());
    let first = top(diagram.handlers.len());
    for (i, handler) in diagram.handlers.iter().enumerate() {
        let y = first + i * (BOX_HEIGHT + GAP);
        out.push_str(&labelled(RIGHT_X, y, &handler.name, &[&handler.limits]));
        out.push_str(&arrow(MIDDLE_X + MIDDLE_WIDTH, gate.outlet_y(), RIGHT_X, y + BOX_HEIGHT / 2));
    }
    out.push_str(&line_of_text("small", WIDTH / 2, height - 10, "middle", &diagram.end));
    out.push_str("</svg>\n");
    out
}

/// The gateway's box, its steps in lines.
struct Gate {
    before: Vec<String>,
    line: Vec<String>,
    after: Vec<String>,
    height: usize,
    /// Where it begins: in the middle of columns that are higher than it is.
    y: usize,
}

impl Gate {
    fn of(diagram: &Diagram, column_height: usize) -> Gate {
        let numbered = |steps: &[String], first: usize| -> Vec<String> {
            let lines = |(i, step): (usize, &String)| {
                let mut lines = wrapped(step, STEP_CHARS);
                lines[0] = format!("{}. {}", first + i, lines[0]);
                lines
            };
            steps.iter().enumerate().flat_map(lines).collect()
        };
        let before = numbered(&diagram.before, 1);
        let after = numbered(&diagram.after, diagram.before.len() + 1);
        let line = wrapped(&diagram.line, STEP_CHARS);
        let height = (before.len() + line.len() + after.len() + 3) * LINE_HEIGHT;
        Gate { before, line, after, height, y: EDGE + column_height.saturating_sub(height) / 2 }
    }

    fn inlet_y(&self) -> usize {
        self.y + LINE_HEIGHT * 5 / 2
    }

    fn outlet_y(&self) -> usize {
        self.y + self.height - LINE_HEIGHT * 3 / 2
    }

    fn drawn(&self) -> String {
        let mut out = format!(
            "<rect class=\"gate\" x=\"{MIDDLE_X}\" y=\"{}\" width=\"{MIDDLE_WIDTH}\" height=\"{}\" rx=\"8\"/>\n",
            self.y, self.height
        );
        let x = MIDDLE_X + 14;
        let mut y = self.y + LINE_HEIGHT + 4;
        out.push_str(&line_of_text("name", x, y, "start", "Hookhaven"));
        let mut put = |lines: &[String], class: &str, y: &mut usize| {
            for line in lines {
                *y += LINE_HEIGHT;
                out.push_str(&line_of_text(class, x, *y, "start", line));
            }
        };
        put(&self.before, "step", &mut y);
        let line_y = y + LINE_HEIGHT / 2;
        y += LINE_HEIGHT / 2;
        put(&self.line, "durable", &mut y);
        y += LINE_HEIGHT / 2;
        put(&self.after, "step", &mut y);
        out.push_str(&format!("<path class=\"line\" d=\"M{} {line_y}h{}\"/>\n", MIDDLE_X - 10, MIDDLE_WIDTH + 20));
        out
    }
}

fn labelled(x: usize, y: usize, name: &str, lines: &[&String]) -> String {
    let mut out = format!(
        "<rect class=\"box\" x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"6\"/>\n{}",
        line_of_text("name", x + 10, y + 18, "start", &cut(name, NAME_CHARS))
    );
    for (i, line) in lines.iter().flat_map(|line| wrapped(line, LINE_CHARS)).take(2).enumerate() {
        out.push_str(&line_of_text("small", x + 10, y + 34 + i * 15, "start", &line));
    }
    out
}

fn line_of_text(class: &str, x: usize, y: usize, anchor: &str, text: &str) -> String {
    format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>\n", escaped(text))
}

fn arrow(from_x: usize, from_y: usize, to_x: usize, to_y: usize) -> String {
    let bend = (from_x + to_x) / 2;
    format!(
        "<path class=\"arrow\" marker-end=\"url(#tip)\" d=\"M{from_x} {from_y}C{bend} {from_y} {bend} {to_y} {} \
         {to_y}\"/>\n",
        to_x - 2
    )
}
