//! Charts of figures that are made up: units, gaps, tables, and that nothing foreign becomes markup.

use std::time::Duration;

use super::*;

const SINCE: Time = Time::from_s(1_790_000_040 / 60 * 60);

fn view(step_s: u64, series: &[(&str, &[Option<f64>])]) -> StatsView {
    let steps = series.iter().map(|(_, values)| values.len()).max().unwrap_or_default();
    let series = series.iter().map(|(metric, values)| SeriesView {
        metric: (*metric).to_owned(),
        values: values.to_vec(),
        overall: Some(values.iter().flatten().sum()),
    });
    StatsView {
        since: SINCE,
        until: SINCE.plus(Duration::from_secs(step_s * steps as u64)),
        known_until: SINCE.plus(Duration::from_secs(step_s * steps as u64)),
        step_s,
        series: series.collect(),
        sources: Vec::new(),
        destinations: Vec::new(),
        groups: Vec::new(),
    }
}

fn html(view: &StatsView, plan: &'static Plan, marks: &[Mark]) -> String {
    Charts::new(view, &[plan], marks, "/events?source=stripe").render().unwrap()
}

fn values(html: &str) -> serde_json::Value {
    let data = html.split_once("data-live>{").unwrap().1.split_once("</script>").unwrap().0;
    let data: serde_json::Value = serde_json::from_str(&format!("{{{data}")).unwrap();
    data["charts"][0]["lines"][0]["values"].clone()
}

#[test]
fn counts_become_rates_by_what_is_known_of_each_step() {
    let mut view = view(600, &[("received", &[Some(1_200.0), Some(600.0), Some(300.0)])]);
    // Half of the last step is over.
    view.known_until = SINCE.plus(Duration::from_secs(1_500));
    let shown = html(&view, &ARRIVALS, &[]);
    assert_eq!(values(&shown), serde_json::json!([2.0, 1.0, 1.0]));
    assert!(
        shown.contains("<b>1.00/s</b>") && shown.contains("2,100 in all") && shown.contains("each second"),
        "{shown}"
    );
    // Next to nothing is known of it yet.
    view.known_until = SINCE.plus(Duration::from_secs(1_209));
    let shown = html(&view, &ARRIVALS, &[]);
    assert_eq!(values(&shown), serde_json::json!([2.0, 1.0, null]));
}

#[test]
fn few_events_are_told_by_the_minute() {
    let view = view(60, &[("received", &[Some(0.0), Some(3.0)]), ("rejected", &[Some(0.0), Some(1.0)])]);
    let shown = html(&view, &ARRIVALS, &[]);
    assert!(shown.contains("<b>3.00/min</b>") && shown.contains("each minute"), "{shown}");
    assert!(!shown.contains("duplicates"), "there are no figures of them");
    assert_eq!(shown.matches("<tr><td>").count(), 1, "nothing happened in the first minute");
}

#[test]
fn percentiles_of_nothing_are_gaps() {
    let view = view(60, &[("answer_p50_ms", &[Some(0.4), None, Some(1_234.0)])]);
    let shown = html(&view, &ANSWERS, &[]);
    assert_eq!(values(&shown), serde_json::json!([0.4, null, 1_234.0]));
    assert!(shown.contains("<td>1.2 s") && shown.contains("<td>0.4 ms"), "{shown}");
}

#[test]
fn a_long_span_is_a_short_table() {
    let steps: Vec<_> = (0..150).map(|n| Some(f64::from(n))).collect();
    let view = view(600, &[("depth", &steps)]);
    let shown = html(&view, &WAITING, &[]);
    let rows = shown.matches("<tr><td>").count();
    assert!(rows <= 30 && rows > 20, "{rows}");
    // Of each few steps the greatest, the newest first.
    let first = shown.split_once("<tr><td>").unwrap().1;
    assert!(first.contains("<td>149") && !first.contains("<td>148"), "{first}");
    assert!(shown.contains("Each row is 50 min, the greatest in it"), "{shown}");
}

#[test]
fn marks_are_data_and_no_markup() {
    let mark = Mark { at: SINCE, kind: "deploy".into(), text: "</script><script>alert(1)</script>".into() };
    let shown = html(&view(60, &[("depth", &[Some(1.0)])]), &WAITING, &[mark]);
    assert_eq!(shown.matches("</script>").count(), 1, "{shown}");
    assert!(shown.contains(&format!("\"at\":{}", SINCE.as_s())), "{shown}");
    assert!(shown.contains("/events?source=stripe&#38;since="), "{shown}");
}

#[test]
fn rates_have_three_digits() {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let shown =
        [(0.0, 5), (3.0, 5), (300.0, 5), (3_000.0, 5), (300_000.0, 5)].map(|(count, m)| rate(count, minutes(m)));
    assert_eq!(shown, ["0/s", "0.60/min", "1.00/s", "10.0/s", "1,000/s"]);
}
