//! Whether the honest answer is that they need none of it.

#![allow(clippy::unwrap_used)]

mod common;

#[test]
fn a_hosted_service_that_does_it_well_is_kept_unless_something_is_required() {
    let hosted = "existing.state = \"Hookdeck receives them and retries\"";
    for (more, needed, says) in [
        ("", false, "stay there"),
        ("existing.incidents = [\"events were lost\"]", true, "lost or done twice"),
        ("requirements.regulated = \"health\"", true, "may be the reason"),
        ("requirements.budget_per_month = 20", true, "may be the reason"),
    ] {
        let plan = common::plan(&format!("{hosted}\n{more}"));
        assert_eq!(plan.design.needed.value, needed, "{more}");
        assert!(plan.design.needed.why.contains(says), "{more}: {}", plan.design.needed.why);
        let fired = |id: &str| plan.findings.iter().any(|finding| finding.rule.id == id);
        assert!(fired("hosted-today") && !fired("not-needed"), "{more}");
    }
}
