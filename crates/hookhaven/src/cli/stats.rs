//! `hookhaven stats`: what was received, delivered and lost over time, and how fast, in a few lines.

use std::{process::ExitCode, time::Duration};

use serde_json::Value;

use super::{
    Context, DONE,
    args::StatsArgs,
    client::{Client, Query, with_gateway},
    print::{Colour, Screen, column, optional, second, span, whole},
};
use crate::api::{SeriesView, StatsView};

/// Heights of a value beside the greatest.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Steps in one line.
const WIDTH: usize = 60;

pub async fn run(args: StatsArgs, context: &Context) -> anyhow::Result<ExitCode> {
    with_gateway(context, async |client, screen| act(args, client, screen).await).await.map(ExitCode::from)
}

pub(super) async fn act(args: StatsArgs, client: &Client, screen: &mut Screen) -> anyhow::Result<u8> {
    let query = Query::default()
        .with("since", Some(args.since.resolve(screen.now)))
        .with("source", args.source.as_ref())
        .with("destination", args.destination.as_ref());
    let answer: Value = client.get("/stats", &query).await?;
    if screen.json {
        screen.value(&answer)?;
        return Ok(DONE);
    }
    let view: StatsView = serde_json::from_value(answer)?;
    let step = span(Duration::from_secs(view.step_s));
    let title = format!("{} to {}, in steps of {step}; times are UTC.", second(view.since), second(view.until));
    screen.line(screen.paint(Colour::Bold, &title))?;
    let rows: Vec<_> = view.series.iter().map(row).collect();
    screen.table(&[whole("METRIC"), column("OVERALL"), column("GREATEST"), optional("OVER TIME")], &rows)?;
    Ok(DONE)
}

fn row(series: &SeriesView) -> Vec<String> {
    let greatest =
        series.values.iter().flatten().copied().fold(None, |a: Option<f64>, b| Some(a.map_or(b, |a| a.max(b))));
    vec![series.metric.clone(), figure(series.overall), figure(greatest), line(&series.values)]
}

fn figure(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value.fract() == 0.0 => format!("{value:.0}"),
        Some(value) if value < 10.0 => format!("{value:.2}"),
        Some(value) => format!("{value:.0}"),
    }
}

/// A picture of the values; of more than fit, the greatest of each few.
fn line(values: &[Option<f64>]) -> String {
    let few = values.len().div_ceil(WIDTH).max(1);
    let greatest = |some: &[Option<f64>]| some.iter().flatten().copied().fold(0.0, f64::max);
    let shown: Vec<f64> = values.chunks(few).map(greatest).collect();
    let top = shown.iter().copied().fold(0.0, f64::max);
    let height = |value: f64| match value {
        v if v <= 0.0 => ' ',
        v => HEIGHTS[((v / top * 8.0).ceil() as usize).clamp(1, 8) - 1],
    };
    shown.into_iter().map(height).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_what_stands_out() {
        assert_eq!(line(&[Some(0.0), Some(1.0), None, Some(8.0), Some(4.0)]), " ▁ █▄");
        assert_eq!(line(&[]), "");
        let many = vec![Some(1.0); 150];
        assert!(line(&many).chars().count() <= WIDTH);
        let mut peak = vec![Some(1.0); 150];
        peak[77] = Some(100.0);
        assert_eq!(line(&peak).chars().filter(|c| *c == '█').count(), 1);
    }

    #[test]
    fn figures_are_short() {
        assert_eq!([None, Some(12.0), Some(1.234), Some(123.4)].map(figure), ["-", "12", "1.23", "123"]);
    }
}
