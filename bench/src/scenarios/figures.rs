//! What a scenario came to: figures, some with a bound that they should keep.

use std::fmt;

use serde::Serialize;

#[derive(Debug, Default, Serialize)]
pub struct Figures(Vec<Figure>);

#[derive(Debug, Serialize)]
pub struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bound: Option<Bound>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<bool>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Figures {
    pub fn add(&mut self, figure: Figure) {
        self.0.push(figure);
    }

    /// Whether every bound was kept.
    pub fn all_kept(&self) -> bool {
        self.0.iter().all(|figure| figure.kept != Some(false))
    }
}

impl Figure {
    pub fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Figure { what: what.into(), value, unit, bound: None, kept: None }
    }

    pub fn at_least(self, least: f64) -> Self {
        let kept = self.value >= least;
        Figure { bound: Some(Bound::AtLeast(least)), kept: Some(kept), ..self }
    }

    pub fn at_most(self, most: f64) -> Self {
        let kept = self.value <= most;
        Figure { bound: Some(Bound::AtMost(most)), kept: Some(kept), ..self }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
        table.set_header(["figure", "measured", "wanted", ""]);
        for figure in &self.0 {
            let (wanted, verdict) = match (figure.bound, figure.kept) {
                (Some(Bound::AtLeast(least)), Some(kept)) => {
                    (format!("≥ {}", shown(least, figure.unit)), verdict(kept))
                }
                (Some(Bound::AtMost(most)), Some(kept)) => (format!("≤ {}", shown(most, figure.unit)), verdict(kept)),
                _ => (String::new(), ""),
            };
            table.add_row([figure.what.as_str(), &shown(figure.value, figure.unit), &wanted, verdict]);
        }
        write!(f, "{table}")
    }
}

fn verdict(kept: bool) -> &'static str {
    if kept { "kept" } else { "MISSED" }
}

fn shown(value: f64, unit: &str) -> String {
    let number =
        if value.abs() >= 100.0 || value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    format!("{number} {unit}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_kept_or_missed() {
        let mut figures = Figures::default();
        figures.add(Figure::new("a", 2.0, "ms").at_most(1.5));
        figures.add(Figure::new("b", 12_345.6, "/s").at_least(12_000.0));
        let table = figures.to_string();
        assert!(table.contains("≤ 1.50 ms") && table.contains("MISSED"), "{table}");
        assert!(table.contains("12346 /s") && table.contains("kept"), "{table}");
    }
}
