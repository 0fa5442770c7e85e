//! Filters as people write them, and the exact message for each that cannot be.

use std::path::Path;

use super::*;
use crate::config::{Environment, parse::parse};

/// What the line `when = …`, the seventh, comes to: conditions in words, or problems from the column on.
fn read(when: &str) -> Result<Vec<String>, Vec<String>> {
    let text = format!(
        "[sources.s]\nsender = \"stripe\"\nsecrets = [\"x\"]\n[destinations.d]\nurl = \"http://127.0.0.1/\"\n[[routes]]\n\
         when = {when}\nsource = \"s\"\nto = [\"d\"]\n"
    );
    let parsed = parse(Path::new("f"), &text, &Environment::default());
    let problems = parsed.problems.iter().map(|p| p.to_string().replacen("f:7:", "", 1));
    let problems: Vec<_> = problems.map(|p| p.replacen("routes[0].when", "when", 1)).collect();
    let config = parsed.config.ok_or(problems)?;
    let filter = config.routes[0].when.as_ref().expect("a filter");
    Ok(filter.conditions().iter().map(ToString::to_string).collect())
}

#[test]
fn conditions_are_written_as_people_write_them() {
    for (when, expected) in [
        (r#"{ "json:/livemode" = true }"#, &["json:/livemode is true"][..]),
        (
            r#"{ "json:/data/object/amount" = { gte = 1_000, lt = 5e3 }, "header:X-Region" = ["eu", "us"] }"#,
            &["json:/data/object/amount >= 1000 and < 5e3", "header:x-region is \"eu\" or \"us\""],
        ),
        (r#"{ "json:/a" = { equals = 0x1f }, "json:/b" = -1.50 }"#, &["json:/a is 31", "json:/b is -1.50"]),
        (r#"{ "json:/n" = 123456789012345678901234567890 }"#, &["json:/n is 123456789012345678901234567890"]),
        (r#"{ "json:/a~1b/0" = { prefix = "pi_" } }"#, &["json:/a~1b/0 begins with \"pi_\""]),
        (
            r#"{ "json:/a" = { exists = false }, "json:/b" = { not = "x" }, "json:/c" = { not = { in = [1, 2] } } }"#,
            &["json:/a does not exist", "json:/b is there and not: is \"x\"", "json:/c is there and not: is 1 or 2"],
        ),
        (
            r#"{ any = [{ "json:/a" = 1, "json:/b" = 2 }, { not = { "json:/c" = 3 } }], all = [{ "json:/d" = 4 }] }"#,
            &["any of (all of (json:/a is 1; json:/b is 2); not (json:/c is 3))", "all of (json:/d is 4)"],
        ),
    ] {
        assert_eq!(
            read(when).as_deref(),
            Ok(&expected.iter().map(|e| (*e).to_owned()).collect::<Vec<_>>()[..]),
            "{when}"
        );
    }
}

#[test]
fn what_is_wrong_is_told_with_the_mend() {
    for (when, expected) in [
        (r#""x""#, "8: when: expected a table of conditions, such as { \"json:/livemode\" = true }, not a text"),
        ("{}", "8: when: there is no condition in it; write one, such as \"json:/livemode\" = true, or take it out"),
        (r#"{ "/a" = 1 }"#, "10: when.\"/a\": \"/a\" is no place for a condition; did you mean \"json:/a\"?"),
        (
            r#"{ "jsn:/a" = 1 }"#,
            "10: when.\"jsn:/a\": \"jsn:/a\" is no place for a condition; did you mean \"json:/a\"?",
        ),
        (
            r#"{ "body:/a" = 1 }"#,
            "10: when.\"body:/a\": \"body:/a\" is no place for a condition; did you mean \"json:/a\"?",
        ),
        (r#"{ ani = [] }"#, "10: when.ani: \"ani\" is no place for a condition; did you mean \"any\"?"),
        (
            r#"{ "json:$.data.id" = 1 }"#,
            "10: when.\"json:$.data.id\": a path into the body begins with \"/\", as in \"/data/id\"; did you mean \
             \"json:/data/id\"?",
        ),
        (
            r#"{ "json:/a~b" = 1 }"#,
            "10: when.\"json:/a~b\": \"~\" is written \"~0\" in a path, and \"/\" inside a name \"~1\"",
        ),
        (r#"{ "header:a b" = 1 }"#, "10: when.\"header:a b\": \"a b\" is not a header name"),
        (
            r#"{ "header:Authorization" = "x" }"#,
            "10: when.\"header:Authorization\": authorization carries credentials; they do not belong into a config file's \
             filters",
        ),
        (
            r#"{ "header:X-Forwarded-For" = "x" }"#,
            "10: when.\"header:X-Forwarded-For\": the header x-forwarded-for is not kept with events; use another one; \
             `hookhaven events show` lists what is kept",
        ),
        (r#"{ "json:/a" = { gt = "1000" } }"#, "29: when.\"json:/a\".gt: expected a number, such as 1000, not a text"),
        (
            r#"{ "json:/a" = { gt = nan } }"#,
            "29: when.\"json:/a\".gt: nothing can be compared with this number; write a number, such as 1000",
        ),
        (r#"{ "json:/a" = { gtee = 1 } }"#, "24: when.\"json:/a\".gtee: unknown operator; did you mean \"gte\"?"),
        (r#"{ "json:/a" = { "$ne" = 1 } }"#, "24: when.\"json:/a\".\"$ne\": unknown operator; did you mean \"not\"?"),
        (r#"{ "json:/a" = { ">=" = 1 } }"#, "24: when.\"json:/a\".\">=\": unknown operator; did you mean \"gte\"?"),
        (
            r#"{ "json:/a" = { startsWith = "x" } }"#,
            "24: when.\"json:/a\".startsWith: unknown operator; did you mean \"prefix\"?",
        ),
        (
            r#"{ "json:/a" = { resembles = 1 } }"#,
            "24: when.\"json:/a\".resembles: unknown operator; operators: equals, in, prefix, exists, gt, gte, lt, lte, not",
        ),
        (
            r#"{ "json:/a" = {} }"#,
            "22: when.\"json:/a\": there is no operator in it; operators: equals, in, prefix, exists, gt, gte, lt, lte, not",
        ),
        (
            r#"{ "json:/a" = [] }"#,
            "22: when.\"json:/a\": the list is empty, so nothing would be taken; write values into it",
        ),
        (
            r#"{ "json:/a" = [[1]] }"#,
            "23: when.\"json:/a\"[0]: expected a text in quotes, a number, true or false, not a list",
        ),
        (
            r#"{ "json:/a" = 2026-11-22 }"#,
            "22: when.\"json:/a\": expected a text in quotes, a number, true or false, not a date",
        ),
        (
            r#"{ "json:/a" = { exists = "yes" } }"#,
            "33: when.\"json:/a\".exists: expected true or false, without quotes, not a text",
        ),
        (
            r#"{ "json:/a" = { not = { exists = true } } }"#,
            "32: when.\"json:/a\".not.exists: exists has no use inside not; write exists = false by itself",
        ),
        (
            r#"{ "json:/a" = { gt = 5, lte = 4 } }"#,
            "22: when.\"json:/a\": no number lies between these limits; gt and gte say the lower one, lt and lte the upper one",
        ),
        (r#"{ any = [] }"#, "16: when.any: the list is empty; write conditions into it, or take it out"),
        (
            r#"{ any = { "json:/a" = 1 } }"#,
            "16: when.any: expected a list of tables of conditions, such as [{ \"json:/a\" = 1 }, { \"json:/b\" = 2 }], not a \
             table",
        ),
        (
            r#"{ not = { not = { not = { not = { "json:/a" = 1 } } } } }"#,
            "40: when.not.not.not.not: conditions stand too deep inside one another; use at most 4 levels",
        ),
    ] {
        assert_eq!(read(when), Err(vec![expected.to_owned()]), "{when}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let found = read(r#"{ "json:a" = { gt = "1", lx = 2 }, any = [{ ani = 1 }] }"#).unwrap_err();
    assert_eq!(found.len(), 4, "{found:?}");
}

#[test]
fn what_is_too_much_is_refused() {
    let many = |n: usize| (0..n).map(|n| format!("\"json:/{n}\" = 1")).collect::<Vec<_>>().join(", ");
    assert!(read(&format!("{{ {} }}", many(CONDITIONS_MAX))).is_ok());
    let told = |when: String| read(&when).unwrap_err().join("\n");
    assert!(told(format!("{{ {} }}", many(CONDITIONS_MAX + 1))).contains("33 conditions are too many"));
    let values = vec!["1"; CHOICES_MAX + 1].join(", ");
    assert!(told(format!("{{ \"json:/a\" = [{values}] }}")).contains("257 values are too many"));
    let long = "x".repeat(LITERAL_BYTES_MAX + 1);
    assert!(told(format!("{{ \"json:/a\" = \"{long}\" }}")).contains("the text is too long"));
    // Of several routes together; the same path twice is one.
    let route = |when: String| format!("\n[[routes]]\nsource = \"s\"\nto = [\"d\"]\nwhen = {{ {when} }}");
    let others = route(many(PATHS_MAX - 1)) + &route(many(PATHS_MAX));
    let told = told(format!("{{ \"json:/a\" = 1 }}\nsource = \"s\"\nto = [\"d\"]{others}\n[[routes]]"));
    assert!(told.contains("routes[2]: the filters of source \"s\" look at more than 32 places in the body"), "{told}");
}

#[test]
fn routes_apart_by_their_filters_are_not_in_each_others_way() {
    let pair = |first: &str, second: &str| {
        let route = |when: &str| format!("[[routes]]\nsource = \"s\"\nto = [\"d\"]\n{when}\n");
        let text = format!(
            "[sources.s]\nsender = \"stripe\"\nsecrets = [\"x\"]\n[destinations.d]\nurl = \"http://127.0.0.1/\"\n{}{}",
            route(first),
            route(second)
        );
        parse(Path::new("f"), &text, &Environment::default()).problems.len()
    };
    let when = |value| format!("when = {{ \"json:/live\" = {value} }}");
    assert_eq!(pair(&when(true), &when(false)), 0);
    assert_eq!(pair(&when(true), ""), 0);
    assert_eq!(pair("", &when(true)), 1);
    assert_eq!(pair(&when(true), &when(true)), 1);
}
