//! Where secrets come from, what is said of those that are not there, and that no message holds one.

use super::*;

#[test]
fn secrets_that_are_not_there() {
    says(
        &with("").replace("secrets = [\"env:STRIPE_SECRET\"]\n", ""),
        &[
            "hookhaven.toml:1:10: sources.stripe: secrets is missing; add secrets = [\"env:STRIPE_SECRET\"]; without one, \
           anybody could post here",
        ],
    );
    let of = |secrets: &str, expected: &str| {
        says(&with("").replace("[\"env:STRIPE_SECRET\"]", secrets), &[&format!("hookhaven.toml:3:{expected}")]);
    };
    of(
        "[\"env:NOT_SET\"]",
        "12: sources.stripe.secrets[0]: the environment variable NOT_SET is not set; set it before starting, e.g. export \
         NOT_SET='…'",
    );
    of(
        "[\"env:STRIPE_SECRTE\"]",
        "12: sources.stripe.secrets[0]: the environment variable STRIPE_SECRTE is not set; STRIPE_SECRET is set; did you \
         mean that?",
    );
    of(
        "[\"env:BLANK\"]",
        "12: sources.stripe.secrets[0]: the environment variable BLANK is blank; give it the secret as its value",
    );
    of(
        "[\" \"]",
        "12: sources.stripe.secrets[0]: the secret is blank; give it a value, or refer to one with \"env:NAME\" or \
         \"file:PATH\"",
    );
    of(
        "[\"${STRIPE_SECRET}\"]",
        "12: sources.stripe.secrets[0]: variables are not put in like in a shell; write \"env:STRIPE_SECRET\"",
    );
    of(
        "[]",
        "11: sources.stripe.secrets: the list is empty; give at least one secret; without one, anybody could post here",
    );
    of(
        "[\"file:nowhere\"]",
        "12: sources.stripe.secrets[0]: cannot read the secret file nowhere: there is no such file; check the path",
    );
    of(
        "[7]",
        "12: sources.stripe.secrets[0]: expected a secret in quotes: \"env:NAME\", \"file:PATH\" or the secret itself, not \
         a number",
    );
}

#[test]
fn secrets_come_from_files_beside_the_config_and_are_remembered() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("stripe"), "from-file\r\n").unwrap();
    let text = with("").replace("env:STRIPE_SECRET", "file:stripe");
    let parsed = parse(&dir.path().join("hookhaven.toml"), &text, &environment());
    let config = parsed.config.unwrap();
    assert_eq!(config.sources["stripe"].secrets[0].expose(), b"from-file");
    assert_eq!(parsed.secret_files.paths().collect::<Vec<_>>(), [dir.path().join("stripe")]);
}

#[test]
fn no_message_holds_a_secret() {
    let text = "[server]\nadmin_token = \" hunter2\"\n\
                [sources.a]\nsender = \"standard-webhooks\"\nsecrets = [\"hunter2!\", \"$hunter2-x\"]\n\
                [destinations.b]\nurl = \"http://me:hunter2@127.0.0.1/\"\nsecret = \"hunter2!\"\n\
                [store]\nurl = \"postgres://me:hunter2@host:nonsense/db\"\n";
    let parsed = parse(Path::new("hookhaven.toml"), text, &environment());
    let shown = format!("{:?}", parsed.problems);
    assert!(parsed.problems.len() >= 5 && !shown.contains("hunter2"), "{shown}");
}
