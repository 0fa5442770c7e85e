//! Names: what they may be made of, that each is there once, and that what they name is there.

use super::*;

#[test]
fn names_that_are_there_twice() {
    let twice = "[destinations.billing]\nurl = \"http://127.0.0.1:3001/\"\n";
    says_of(twice, "hookhaven.toml:9:15: \"billing\" is there twice; rename one of the two, or take it out");
    says_of(
        "critical = true\ncritical = false\n",
        "hookhaven.toml:10:1: \"critical\" is there twice; rename one of the two, or take it out",
    );
    says(
        &with("name = \"a\"\n[[routes]]\nname = \"a\"\nsource = \"stripe\"\nto = [\"billing\"]\n")
            .replace("[\"billing\"]\nname = \"a\"", "[\"billing\"]\nevents = [\"x\"]\nname = \"a\"")
            .replacen("[[routes]]\nname = \"a\"", "[[routes]]\nevents = [\"y\"]\nname = \"a\"", 1),
        &["hookhaven.toml:11:1: routes[1]: the name \"a\" is already that of routes[0]; rename one of the two"],
    );
}

#[test]
fn names_are_plain() {
    let text = "[sources.\"Stripe EU\"]\nsender = \"stripe\"\nsecrets = [\"x\"]\n[[routes]]\nsource = \"Stripe EU\"\nto = [\"a\"]\n[destinations.a]\nurl = \"http://h/\"\n";
    says(
        text,
        &[
            "hookhaven.toml:1:10: sources.\"Stripe EU\": not a name that can be used; use up to 64 of a-z, 0-9, \"-\", \"_\" and \
           \".\", beginning with a letter or digit",
        ],
    );
    says(
        &with("").replace("billing", "published"),
        &["hookhaven.toml:4:15: destinations.published: this name is taken by the gateway itself; choose another one"],
    );
}

#[test]
fn things_that_are_named_and_not_there() {
    says(
        &with("").replace("sender = \"stripe\"", "sender = \"strype\""),
        &["hookhaven.toml:2:10: sources.stripe.sender: there is no sender \"strype\"; did you mean \"stripe\"?"],
    );
    says(
        &with("[[routes]]\nsource = \"strip\"\nto = [\"biling\"]\n"),
        &[
            "hookhaven.toml:10:10: routes[1].source: there is no source \"strip\"; did you mean \"stripe\"?",
            "hookhaven.toml:11:7: routes[1].to[0]: there is no destination \"biling\"; did you mean \"billing\"?",
        ],
    );
}

#[test]
fn names_that_toml_can_escape_stay_one_harmless_line() {
    for text in [
        "[sources.\"a\\u001b[2Jb\"]\nsender = \"github\"\nsecrets = [\"x\"]\n",
        "[destinations.\"a\\nb\"]\nurl = 3\n[[routes]]\nsource = \"a\\u0007\"\nto = [\"b\\u009b\"]\n",
        "sources = { \"a\\r\" = 1 }\n",
    ] {
        let problems = parse(Path::new("hookhaven.toml"), text, &environment()).problems;
        assert!(!problems.is_empty());
        for told in problems.iter().map(ToString::to_string) {
            assert!(!told.contains(char::is_control), "{told:?}");
        }
    }
}

#[test]
fn what_nobody_uses_is_told_under_the_key_it_stands_under() {
    let text = "[sources.\"git.hub\"]\nsender = \"github\"\nsecrets = [\"x\"]\n";
    let parsed = parse(Path::new("hookhaven.toml"), text, &environment());
    let problem = parsed.problems.iter().find(|p| p.what.contains("no route")).unwrap();
    assert_eq!(problem.key, "sources.\"git.hub\"");
    assert!(parsed.places.keys.contains_key(&problem.key));
}
