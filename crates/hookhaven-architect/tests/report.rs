//! The report: whole for every intake, safe with hostile answers, the same in both forms, and that of the worked intake
//! as it was read line by line.
//!
//! Not here: which rules fire, what is decided.

#![allow(clippy::unwrap_used)]

mod report {
    pub mod plain;
}

use std::{collections::BTreeSet, fs, path::Path, sync::OnceLock, time::Duration};

use hookhaven_architect::{
    Plan,
    intake::{self, Given, Once, OrderKind, OrderWish},
};
use report::plain;

fn here(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}

fn plan_of(text: &str) -> Option<Plan> {
    intake::read(Path::new("intake.toml"), text, &Given::default()).intake.map(Plan::of)
}

/// A plan and what is made of it.
struct Case {
    name: String,
    plan: Plan,
    markdown: String,
    html: String,
}

/// Every intake of the tests, and more; made once.
fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| plans().into_iter().map(|(name, plan)| case(name, plan)).collect())
}

fn case(name: String, plan: Plan) -> Case {
    let files = plan.files();
    let text = |path: &str| files.iter().find(|file| file.path == path).unwrap().text.clone();
    Case { markdown: text("report.md"), html: text("report.html"), name, plan }
}

fn one(name: &str) -> &'static Case {
    cases().iter().find(|case| case.name == name).unwrap()
}

/// By name, those that are whole.
fn plans() -> Vec<(String, Plan)> {
    let mut paths: Vec<_> = fs::read_dir(here("intakes")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let plans: Vec<_> = paths
        .into_iter()
        .filter_map(|path| {
            let plan = plan_of(&fs::read_to_string(&path).unwrap())?;
            Some((path.file_stem().unwrap().to_string_lossy().into_owned(), plan))
        })
        .collect();
    assert!(plans.iter().any(|(name, _)| name == "worked"));
    plans.into_iter().chain(more()).collect()
}

/// What the files beside this leave out: one sender alone, a high volume on each store, nothing needed.
fn more() -> Vec<(String, Plan)> {
    let all = [
        ("stripe alone", vec![("senders = [\"stripe\", \"github\", \"slack\"] ", "senders = [\"stripe\"] ")]),
        ("github alone", vec![("senders = [\"stripe\", \"github\", \"slack\"] ", "senders = [\"github\"] ")]),
        ("high volume", vec![("per_day = 5000, peak_day = 20000", "per_day = 50000000, peak_day = 90000000")]),
        ("very high volume", vec![("per_day = 5000, peak_day = 20000", "per_day = 500000000, peak_day = 900000000")]),
        ("unknown", vec![("\"slack\"] ", "\"slack\", \"own\"] "), ("[processing]", "[processing]\nown = \"x\"")]),
        ("mature", vec![("synchronous handler", "mature"), ("incidents", "# incidents")]),
    ];
    all.into_iter().map(|(name, changes)| (name.to_owned(), changed(&changes))).collect()
}

/// The worked intake with some of its text replaced; sections of senders that are gone go, too.
fn changed(changes: &[(&str, &str)]) -> Plan {
    let mut text = fs::read_to_string(here("intakes/worked.toml")).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    if text.contains("\"own\"") {
        for table in ["volume", "idempotency", "latency"] {
            let value = if table == "volume" { "10" } else { "\"nice\"" };
            let value = if table == "latency" { "\"1m\"" } else { value };
            text = text.replacen(&format!("[{table}]"), &format!("[{table}]\nown = {value}"), 1);
        }
    }
    let senders = text.lines().find(|line| line.starts_with("senders")).unwrap().to_owned();
    let named = |line: &&str| {
        let key = line.split('=').next().unwrap_or_default().trim();
        !["stripe", "github", "slack"].contains(&key) || senders.contains(&format!("\"{key}\""))
    };
    let joined = text.replace(",\n          ", ", ");
    let kept: Vec<&str> = joined.lines().filter(named).collect();
    plan_of(&kept.join("\n")).unwrap_or_else(|| panic!("{}", kept.join("\n")))
}

#[test]
fn the_worked_report_is_the_one_that_was_read() {
    let text = &one("worked").markdown;
    let path = here("report/worked.md");
    if std::env::var_os("HOOKHAVEN_WRITE_SNAPSHOTS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    let differs = known.lines().zip(text.lines()).position(|(a, b)| a != b).unwrap_or(known.lines().count());
    assert!(&known == text, "line {} differs; HOOKHAVEN_WRITE_SNAPSHOTS=1 writes it anew", differs + 1);
}

#[test]
fn every_section_says_something_and_nothing_is_left_to_fill_in() {
    for Case { name, plan, markdown, .. } in cases() {
        let sections: Vec<&str> = markdown.split("\n## ").skip(1).collect();
        assert!(sections.len() >= if plan.design.needed.value { 18 } else { 4 }, "{name}: {}", sections.len());
        for section in sections {
            let (title, rest) = section.split_once('\n').unwrap();
            assert!(plain::of_markdown(rest).len() > 8, "{name}: {title} is empty");
            for part in rest.split("\n### ").skip(1) {
                let (heading, rest) = part.split_once('\n').unwrap();
                assert!(!rest.trim().is_empty(), "{name}: {title}, {heading} is empty");
            }
        }
        for cell in markdown.lines().filter(|line| line.starts_with('|')) {
            assert!(!cell.contains("|  |"), "{name}: an empty cell in {cell}");
        }
        assert_eq!(plain::placeholders(markdown), Vec::<String>::new(), "{name}");
    }
}

/// What stands under a heading of the second order.
fn section<'m>(markdown: &'m str, title: &str) -> &'m str {
    let heading = format!("\n## {title}\n\n");
    markdown.split(&heading).nth(1).unwrap_or_else(|| panic!("{title}")).split("\n## ").next().unwrap()
}

#[test]
fn four_to_six_takeaways_of_a_sentence_or_two() {
    /// With the link to the rest of it.
    const CHARS_MAX: usize = 290;
    for Case { name, markdown, .. } in cases() {
        let items: Vec<&str> = section(markdown, "Key takeaways").lines().filter(|line| !line.is_empty()).collect();
        assert!((4..=6).contains(&items.len()), "{name}: {}", items.len());
        for item in items {
            assert!(item.chars().count() <= CHARS_MAX, "{name}: {} in {item}", item.chars().count());
        }
    }
}

#[test]
fn changing_a_secret_is_told_as_each_sender_does_it() {
    let told = |case: &str, sender: &str| {
        let part = section(&one(case).markdown, "Signature verification").split("\n### ");
        let part = part.filter(|part| part.starts_with("Changing a secret")).last().unwrap();
        part.lines().find(|line| line.starts_with(&format!("| {sender} |"))).unwrap_or_default().to_owned()
    };
    for (case, sender, how) in [
        ("worked", "Stripe", "both sign, for up to 1 day"),
        ("worked", "GitHub", "put both here; only then enter it there"),
        ("worked", "Slack", "`hookhaven rejected release --source slack`"),
        ("five-thousand-a-second", "Twilio", "once it is promoted"),
        ("five-thousand-a-second", "SendGrid event webhook", "signs nothing"),
        ("unknown-sender", "acme-logistics", "ask acme-logistics"),
        ("many-senders", "Docker Hub", ""),
    ] {
        let line = told(case, sender);
        assert!(line.contains(how) && (line.is_empty() == how.is_empty()), "{case}, {sender}: {line}");
    }
}

#[test]
fn the_guard_is_written_for_the_database_that_is_there() {
    let ordering = |case: &str| section(&one(case).markdown, "Ordering");
    assert!(ordering("worked").contains("ON CONFLICT (id) DO UPDATE"));
    assert!(ordering("unknown-sender").contains("ON DUPLICATE KEY UPDATE"), "its stack has MySQL");
    assert!(!ordering("user-waiting").contains("```sql"), "none of its handlers keeps a state");
}

#[test]
fn what_was_only_assumed_is_not_said_as_if_it_were_known() {
    let tls = |case: &str| {
        let retry = section(&one(case).markdown, "Retry and dead letters");
        retry.lines().find(|line| line.starts_with("| `tls` |")).unwrap()
    };
    assert!(!tls("worked").contains("does not happen"), "where its handlers are was not said");
    assert!(section(&one("worked").markdown, "Receiver design").contains("| 500 ms (assumed) |"));
    assert!(section(&one("tiny").markdown, "Receiver design").contains("| 800 ms |"));
}

#[test]
fn how_long_a_dead_letter_stays_is_what_the_config_says() {
    for (case, end) in [("worked", "stays until somebody decides:"), ("contradictory", "and for 3 days at most:")] {
        assert!(section(&one(case).markdown, "Retry and dead letters").contains(end), "{case}");
    }
}

#[test]
fn the_sender_that_waits_for_its_handler_is_told_apart_in_the_path() {
    let path = |case: &str| section(&one(case).markdown, "The path of an event");
    assert!(path("worked").contains("and for no handler."));
    assert!(path("user-waiting").contains("but for `/deploy`"), "{}", path("user-waiting"));
}

#[test]
fn what_is_not_needed_is_said_first_and_shortly() {
    let (needed, not): (Vec<_>, Vec<_>) = cases().iter().partition(|case| case.plan.design.needed.value);
    assert!(!not.is_empty());
    for Case { name, markdown: text, .. } in not {
        let verdict = text.find("you do not need this").unwrap();
        assert!(text[..verdict].lines().count() <= 3, "{name}");
        assert!(text.len() < 12_000 && !text.contains("## Queue and workers"), "{name}");
    }
    for Case { name, markdown, .. } in needed {
        assert!(!markdown.contains("you do not need this"), "{name}");
    }
}

#[test]
fn sections_of_one_sender_and_of_high_volume_are_there_when_they_hold() {
    let has = |name: &str, title: &str| one(name).markdown.contains(&format!("\n## {title}"));
    assert!(has("stripe alone", "Stripe: types") && !has("stripe alone", "GitHub: addresses"));
    assert!(has("github alone", "GitHub: addresses") && !has("github alone", "Stripe: types"));
    assert!(has("high volume", "High volume") && has("very high volume", "High volume"));
    assert!(!has("worked", "High volume") && !has("worked", "Stripe: types") && !has("worked", "GitHub: addresses"));
}

#[test]
fn both_forms_say_the_same() {
    for Case { name, markdown, html, .. } in cases().iter().chain([&hostile()]) {
        let (markdown, html) = (plain::of_markdown(markdown), plain::of_html(html));
        let differs = markdown.iter().zip(&html).position(|(a, b)| a != b);
        let at = differs.unwrap_or(markdown.len().min(html.len()));
        let around = |words: &[String]| words[at.saturating_sub(8)..(at + 8).min(words.len())].join(" ");
        assert!(markdown == html, "{name}: `{}` but `{}`", around(&markdown), around(&html));
    }
}

#[test]
fn links_lead_to_headings_that_are_there() {
    for Case { name, markdown, html, .. } in cases() {
        let html = plain::tags(html);
        let attribute = |key: &str| -> Vec<String> {
            html.iter()
                .filter_map(|tag| tag.attributes.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()))
                .collect()
        };
        let ids = attribute("id");
        assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "{name}: an id is there twice");
        let links = attribute("href");
        assert!(links.len() >= 4);
        for link in links {
            let Some(id) = link.strip_prefix('#') else {
                let own = hookhaven_core::senders::TABLE.iter().any(|declared| declared.about.docs == link);
                assert!(own, "{name}: {link} leads elsewhere");
                continue;
            };
            assert!(ids.iter().any(|known| known == id), "{name}: {link}");
        }
        for link in plain::anchors(markdown) {
            let found = markdown.lines().filter_map(|line| line.strip_prefix("## ")).any(|t| plain::slug(t) == link);
            assert!(found, "{name}: {link}");
        }
    }
}

#[test]
fn the_html_is_alone_and_well_formed() {
    for Case { name, plan, html, .. } in cases().iter().chain([&hostile()]) {
        // Which tags and attributes there may be is said there: none that fetches or runs anything.
        plain::well_formed(html).unwrap_or_else(|e| panic!("{name}: {e}"));
        for other in ["url(http", "@import", "javascript:"] {
            assert!(!html.contains(other), "{name}: {other}");
        }
        assert!(html.contains("<svg ") && html.contains("<desc ") || !plan.design.needed.value, "{name}");
    }
}

/// Texts that try to be something else, wherever an intake takes text.
const HOSTILE: &str = concat!(
    r#"</td></table><script>alert(1)</script> | a \\| b ` `` ``` ** [x](http://e.x) \u202e\u2066 \n\n# h\n```\n"#,
    r#"<img src=x onerror=y> &amp; &lt; _a_ {} {name} --> ' \" \u0000 \u0007 ]]>"#
);

/// Through the file where it takes free text, and behind its back where it takes none.
fn hostile() -> Case {
    let text = fs::read_to_string(here("report/hostile.toml")).unwrap().replace("HOSTILE", HOSTILE);
    let read = intake::read(Path::new("hostile.toml"), &text, &Given::default());
    assert!(read.intake.is_some(), "{:?} {:?}", read.missing, read.problems);
    let mut intake = read.intake.unwrap();
    let texts: Vec<String> = ["a|b", "a\\|b`", "x`y", "a<b>c", "&amp;", "1.", "-x", "#h", ">q", "``", "\\"]
        .into_iter()
        .map(str::to_owned)
        .chain([intake.existing.state.clone()])
        .collect();
    let sender = &mut intake.senders[0];
    sender.events = texts.clone();
    sender.once.some = texts.iter().map(|t| (t.clone(), Once::Must)).collect();
    sender.latency.some = texts.iter().map(|t| (t.clone(), Duration::from_secs(5))).collect();
    sender.ordering.all =
        OrderWish { kind: OrderKind::Strict, newest: false, text: texts.join(" "), key: Some(texts.concat()) };
    intake.planned[0].name = texts.concat();
    intake.infrastructure.handler_url = format!("http://{}", texts.concat());
    case("hostile".to_owned(), Plan::of(intake))
}

#[test]
fn hostile_texts_break_neither_table_nor_fence_nor_html() {
    let Case { markdown, html, .. } = hostile();
    assert!(html.contains("&lt;script&gt;alert(1)") && markdown.contains("alert(1)"), "it is shown as it is");
    for text in [&markdown, &html] {
        assert!(!text.contains('\u{202e}'));
    }
    let mut columns = None;
    for line in plain::outside_fences(&markdown) {
        if !line.starts_with('|') {
            assert!(!line.starts_with("# h") && !line.trim_start().starts_with("<img"), "{line}");
            columns = None;
            continue;
        }
        let cells = plain::cells(line).len();
        assert_eq!(*columns.get_or_insert(cells), cells, "{line}");
    }
}

#[test]
fn both_drawings_show_the_same_names() {
    for Case { name, plan, markdown, html } in cases().iter().filter(|case| case.plan.design.needed.value) {
        let drawn = markdown.split("```text\n").nth(1).unwrap().split("\n```").next().unwrap();
        let svg = html.split("<svg ").nth(1).unwrap().split("</svg>").next().unwrap();
        for sender in &plan.intake.senders {
            assert!(drawn.contains(sender.title()) && drawn.contains(&format!("/webhooks/{}", sender.name)), "{name}");
            assert!(svg.contains(&format!("/webhooks/{}", sender.name)), "{name}");
        }
        for destination in &plan.design.destinations {
            assert!(drawn.contains(&destination.name) && svg.contains(&destination.name), "{name}");
        }
        assert!(drawn.contains("╞═ on disk from here on") && svg.contains("on disk from here on"), "{name}");
    }
}
