//! The report, in Markdown and in HTML: the same document, rendered twice.
//!
//! `sections` write a small tree (`document`) from the plan, one file a section; `markdown` and `html` render it;
//! `diagram` draws the path of an event in characters and as SVG. Every figure comes from the design, the intake or the
//! sender catalogue, with the reason that stands beside it there. Not here: what is decided (`design`), what stands
//! out (`rules`).

mod diagram;
mod document;
mod html;
mod markdown;
mod said;
mod sections;

use crate::{File, Plan};

/// Where the report goes, for whoever lists files.
pub const MARKDOWN: &str = "report.md";
pub const HTML: &str = "report.html";

pub fn files(plan: &Plan) -> Vec<File> {
    let document = sections::document(plan);
    vec![File::new(MARKDOWN, markdown::render(&document)), File::new(HTML, html::render(&document))]
}
