//! What the file says of sources: who may post, what verifies, what is answered.

use super::*;

#[test]
fn the_longest_body_is_the_senders_own_matter_unless_it_is_set() {
    let source = |sender: &str, more: &str| format!("[sources.s]\nsender = \"{sender}\"\nsecrets = [\"x\"]\n{more}\n");
    for (sender, more, bytes) in
        [("stripe", "", 1 << 20), ("github", "", 25 << 20), ("github", "body_max = \"60MiB\"", 60 << 20)]
    {
        assert_eq!(config(&source(sender, more)).sources["s"].body_bytes_max, bytes, "{sender} {more}");
    }
}

#[test]
fn unverified_sources_must_say_who_may_post() {
    let unverified = "[sources.stripe]\nsender = \"unverified\"\n";
    let rest = "[destinations.billing]\nurl = \"http://h/\"\n[[routes]]\nsource = \"stripe\"\nto = [\"billing\"]\n";
    says(
        &format!("{unverified}{rest}"),
        &["hookhaven.toml:2:10: sources.stripe.sender: an unverified source must say who may post to it; add allow = \
           [\"10.0.0.0/8\"], the addresses that may post here"],
    );
    says(
        &format!("{unverified}allow = [\"10.0.0.0/8\"]\n{rest}"),
        &[
            "hookhaven.toml:2:10: warning: sources.stripe.sender: nothing that comes in here is verified; any program at the \
           allowed addresses can post events",
        ],
    );
    says(
        &format!("{unverified}allow = [\"ten\"]\nsecrets = [\"x\"]\n{rest}"),
        &[
            "hookhaven.toml:3:10: sources.stripe.allow[0]: \"ten\" is not an address or a range; write \"192.0.2.7\" or \
             \"10.0.0.0/8\"",
            "hookhaven.toml:4:11: sources.stripe.secrets: an unverified source has no secrets; take them out, or name the \
             sender that signs with them",
        ],
    );
}

#[test]
fn senders_that_sign_the_url_need_to_know_it() {
    let text = with("").replace("sender = \"stripe\"", "sender = \"twilio\"");
    says(
        &text,
        &[
            "hookhaven.toml:2:10: sources.stripe.sender: twilio signs the URL it posts to, and no public_url is set; add \
           public_url = \"https://…\" under [server]: the address under which the sender knows this gateway",
        ],
    );
    says(&format!("{text}[server]\npublic_url = \"https://hooks.example.com\"\n"), &[]);
}

/// A source whose signing is described, from line 4 on.
fn described(hmac: &str) -> String {
    let source = "[sources.p]\nsender = \"hmac\"\nsecrets = [\"x\"]\n[sources.p.hmac]\n";
    let rest = "[destinations.d]\nurl = \"http://h/\"\n[[routes]]\nsource = \"p\"\nto = [\"d\"]\n";
    format!("{source}{hmac}{rest}")
}

#[test]
fn any_hmac_scheme_can_be_described() {
    let text = described(
        "algorithm = \"sha512\"\nheader = \"X-Signature\"\nprefix = \"v1=\"\nencoding = \"base64\"\n\
         signed = \"{timestamp}.{body}\"\ntimestamp = { header = \"X-Timestamp\", unit = \"ms\" }\n\
         id = \"header:X-Event-Id\"\ntype = \"json:/type\"\noccurred_at = { json = \"/at\", unit = \"rfc3339\" }\n",
    );
    assert_eq!(config(&text).sources["p"].sender.name(), "hmac");
    says(&described("header = \"X-Signature\"\n"), &[]);
}

#[test]
fn hmac_schemes_that_cannot_be() {
    let of = |line: &str, expected: &str| {
        says(&described(&format!("header = \"X-Signature\"\n{line}\n")), &[&format!("hookhaven.toml:6:{expected}")]);
    };
    of("algorithm = \"md5\"", "13: sources.p.hmac.algorithm: \"md5\" is not an algorithm: sha256, sha512 or sha1");
    of(
        "signed = \"{timestamp}\"",
        "10: sources.p.hmac.signed: {body} is missing: the signature would not cover the body, and anyone could change it",
    );
    of(
        "id = \"X-Event-Id\"",
        "6: sources.p.hmac.id: \"X-Event-Id\" names no place: write \"header:NAME\" or \"json:/path/in/body\"",
    );
    of(
        "timestamp = { unit = \"s\" }",
        "13: sources.p.hmac.timestamp: where the time stands is not clear; give either header or json",
    );
    of("singed = \"{body}\"", "1: sources.p.hmac.singed: unknown key; did you mean \"signed\"?");
    says(
        &described(""),
        &[
            "hookhaven.toml:4:1: sources.p.hmac: header is missing; add header = \"X-Signature\", the one that carries the \
           signature",
        ],
    );
    says(
        &with("[sources.stripe.hmac]\nheader = \"X\"\n"),
        &[
            "hookhaven.toml:9:1: sources.stripe.hmac: a section [sources.NAME.hmac] belongs to sender \"hmac\"; how \"stripe\" \
           signs is known",
        ],
    );
    says(
        &described("").replace("[sources.p.hmac]\n", ""),
        &[
            "hookhaven.toml:1:10: sources.p: sender \"hmac\" needs a section [sources.NAME.hmac] that says how its requests are \
           signed",
        ],
    );
}

#[test]
fn secrets_have_the_form_that_their_sender_needs() {
    let found = problems(
        &with("secret = \"x\"\n")
            .replace("secret = \"x\"\n", "")
            .replace("sender = \"stripe\"", "sender = \"standard-webhooks\""),
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("hookhaven.toml:3:12: sources.stripe.secrets[0]: "), "{found:?}");
    says(
        &with("").replace("/hooks\"\n", "/hooks\"\nsecret = \"whsec_***\"\n"),
        &[
            "hookhaven.toml:6:10: destinations.billing.secret: what follows `whsec_` must be base64 with its padding; copy the \
           secret again, whole",
        ],
    );
}

#[test]
fn reserved_sources_are_left_a_share_by_the_others() {
    let two = with("[sources.github]\nsender = \"github\"\nsecrets = [\"x\"]\nreserved = true\n");
    let config = config(&two);
    let leave = |name: &str| config.leave(&config.sources[name]).of(100);
    assert_eq!((leave("stripe"), leave("github")), (80, 100));
    let alone = self::config(&with(""));
    assert_eq!(alone.leave(&alone.sources["stripe"]).of(100), 100, "nobody to leave it to");
    let problems = problems(&two.replace("reserved = true", "reserved = true\nrate = \"9/s\""));
    assert!(
        problems.iter().any(|p| p.contains("sources.github.rate: what goes beyond this rate is refused")),
        "{problems:?}"
    );
}

fn source(sender: &str, more: &str) -> String {
    let rest = "[destinations.d]\nurl = \"http://127.0.0.1:3000/\"\n[[routes]]\nsource = \"s\"\nto = [\"d\"]\n";
    format!("[sources.s]\nsender = \"{sender}\"\n{more}\n{rest}")
}

#[test]
fn a_token_is_for_senders_that_ask_for_one() {
    let meta = config(&source("meta", "secrets = [\"x\"]\nverify_token = \"env:GITHUB_SECRET\""));
    assert_eq!(meta.sources["s"].verify_token.as_ref().map(|t| t.expose()), Some(&b"hush"[..]));
    says(
        &source("meta", "secrets = [\"x\"]"),
        &[
            "hookhaven.toml:2:10: warning: sources.s.sender: without verify_token, meta cannot confirm its subscription; \
             add verify_token = \"env:…\", a text of your own that you also enter there",
        ],
    );
    says(
        &source("stripe", "secrets = [\"x\"]\nverify_token = \"y\""),
        &["hookhaven.toml:4:16: sources.s.verify_token: stripe asks for no such token; take it out"],
    );
}

#[test]
fn a_secret_that_is_handed_over_is_read_from_its_file_once_it_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hookhaven.toml");
    let text = source("asana", "handover = \"asana.secret\"");
    let parsed = || parse(&file, &text, &environment());
    let before = parsed();
    let awaiting = before.config.unwrap().sources["s"].clone();
    assert!(awaiting.secrets.is_empty() && awaiting.handover == Some(directory.path().join("asana.secret")));
    assert!(before.problems.iter().any(|p| p.what.contains("no secret has been handed over yet")));
    std::fs::write(directory.path().join("asana.secret"), "handed").unwrap();
    // A file that appears is a change of the configuration.
    assert_ne!(before.secret_files, before.secret_files.look());
    let after = parsed().config.unwrap();
    assert_eq!(after.sources["s"].secrets.iter().map(|s| s.expose()).collect::<Vec<_>>(), [b"handed"]);
    says(
        &source("stripe", "secrets = [\"x\"]\nhandover = \"f\""),
        &["hookhaven.toml:4:12: sources.s.handover: stripe hands over no secret; take it out, and give its secrets"],
    );
}

#[test]
fn an_answer_may_be_given_and_must_be_a_success() {
    let answer = |text: &str| source("stripe", &format!("secrets = [\"x\"]\nanswer = {text}"));
    let of = |text: &str| config(&answer(text)).sources["s"].answer.clone().unwrap();
    let all = of(r#"{ status = 202, content_type = "application/json", body = "{}" }"#);
    assert_eq!(
        (all.status.as_u16(), all.content_type.as_deref(), &all.body[..]),
        (202, Some("application/json"), &b"{}"[..])
    );
    let plain = of(r#"{ body = "[accepted]" }"#);
    assert_eq!((plain.status.as_u16(), plain.content_type.as_deref()), (200, Some("text/plain")));
    assert_eq!(of("{ status = 204 }").content_type, None);
    for (text, expected) in [
        ("{ status = 500 }", "4:21: sources.s.answer.status: 500 is out of range; must lie between 200 and 299"),
        (
            "{ status = 204, body = \"x\" }",
            "4:10: sources.s.answer: a 204 has no body; take the body out, or write status = 200",
        ),
        (
            "{ content_type = \"text\" }",
            "4:27: sources.s.answer.content_type: this is not a content type; write one such as \"application/json\"",
        ),
        ("{ stauts = 200 }", "4:12: sources.s.answer.stauts: unknown key; did you mean \"status\"?"),
    ] {
        says(&answer(text), &[&format!("hookhaven.toml:{expected}")]);
    }
}

#[test]
fn the_tolerance_is_the_senders_own_matter_unless_it_is_set() {
    let tolerance = |sender: &str, more: &str| config(&source(sender, more)).sources["s"].tolerance;
    assert_eq!(tolerance("stripe", "secrets = [\"x\"]"), Duration::from_secs(300));
    assert_eq!(tolerance("linear", "secrets = [\"x\"]"), Duration::from_secs(60));
    assert_eq!(tolerance("linear", "secrets = [\"x\"]\ntolerance = \"2m\""), Duration::from_secs(120));
}

#[test]
fn the_quarantine_is_kept_within_what_the_file_says() {
    let defaults = config("").quarantine;
    assert_eq!(defaults.terms("any"), Some(crate::config::Terms::default()));
    let text = "secrets_max_age = \"30d\"\n[quarantine]\ncount_max = 50\nmax_age = \"2d\"\nsize_max = \"2MiB\"\nrate = \"9/s\"\n\
                [sources.a]\nsender = \"stripe\"\nsecrets = [\"x\"]\nquarantine = { keep = false }\n\
                [sources.b]\nsender = \"stripe\"\nsecrets = [\"x\"]\nsecrets_max_age = \"7d\"\n\
                [sources.b.quarantine]\ncount_max = 9\n";
    let config = config(text);
    assert_eq!(config.quarantine.terms("a"), None);
    let b = config.quarantine.terms("b").unwrap();
    assert_eq!((b.bounds.count_max, b.bounds.bytes_max, b.rate.count.get()), (9, 2 << 20, 9));
    assert_eq!(config.quarantine.terms("c").unwrap().bounds.count_max, 50);
    let day = Duration::from_secs(86_400);
    assert_eq!((config.secret_ages.of_source("a"), config.secret_ages.of_source("b")), (30 * day, 7 * day));
    says_of(
        "[quarantine]\ncount = 5\n",
        "hookhaven.toml:10:1: quarantine.count: unknown key; known keys: keep, count_max, size_max, max_age, rate",
    );
}

#[test]
fn a_source_may_have_an_address_of_its_own_that_counts_as_it_is_written() {
    let source = |more: &str| format!("[sources.calls]\nsender = \"twilio\"\nsecrets = [\"x\"]\n{more}");
    let own = "public_url = \"http://calls.example.com:80/in/\"\n";
    let written = config(&source(own));
    assert_eq!(written.sources["calls"].public_url.as_deref(), Some("http://calls.example.com:80/in/"));
    let text = format!("[server]\npublic_url = \"https://hooks.example.com/x\"\n{}", source(""));
    let shared = config(&text).sources["calls"].public_url.clone();
    assert_eq!(shared.as_deref(), Some("https://hooks.example.com/x/webhooks/calls"));
    let refused = problems(&source("public_url = \"https://x.example.com/?a=b\"\n"));
    assert!(refused.iter().any(|p| p.contains("a public URL has no query")), "{refused:?}");
}

#[test]
fn fields_that_are_masked_everywhere_are_masked_at_every_source() {
    let text = "redact = [\"email\"]\n[sources.a]\nsender = \"stripe\"\nsecrets = [\"x\"]\nredact = [\"json:/data/card\"]\n\
                [sources.b]\nsender = \"stripe\"\nsecrets = [\"x\"]\n";
    let redactions = config(text).redactions;
    let shown = |source: &str| {
        let body = redactions.of_source(source).body(br#"{"email":1,"data":{"card":2}}"#).into_owned();
        String::from_utf8(body).unwrap()
    };
    assert_eq!(shown("a"), r#"{"email":"[redacted]","data":{"card":"[redacted]"}}"#);
    for other in ["b", "publish"] {
        assert_eq!(shown(other), r#"{"email":"[redacted]","data":{"card":2}}"#);
    }
    let source = "[sources.a]\nsender = \"stripe\"\nsecrets = [\"x\"]\n";
    let refused = problems(&format!("{source}redact = [\"/data/card\"]\nredcat = []\n"));
    assert!(
        refused.iter().any(|p| p.contains("sources.a.redact[0]: \"/data/card\" names no field: a place in the body")),
        "{refused:?}"
    );
    assert!(
        refused.iter().any(|p| p.contains("sources.a.redcat: unknown key; did you mean \"redact\"?")),
        "{refused:?}"
    );
}
