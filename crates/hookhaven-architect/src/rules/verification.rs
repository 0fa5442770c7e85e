//! What proves that a request is its sender's, and what of it is not proved.
//!
//! Not here: a true request that comes again (`replay`).

use hookhaven_core::sender::Cover;

use super::prelude::*;

/// Of the senders, whatever receives them.
pub const PROOFS: &[Rule] = &[
    Rule {
        id: "not-verified-today",
        severity: Serious,
        subject: Subject::Verification,
        fires: |intake, _| {
            let firing = Firing::whole().behind(["existing.verifies", "existing.state"]);
            if intake.existing.verifies == Some(false) { vec![firing] } else { Vec::new() }
        },
        text: "Signatures are not checked today: whoever finds the URL can post events, and your handler acts on them.",
        mend: "Hookhaven checks before anything else. Once it stands in front, take the old URL away, or it stays the way \
               around the check; and let the handlers check the gateway's own signature, as the skeletons do.",
        fires_for: "existing.state = \"synchronous handler\"\nexisting.verifies = false",
        rests_for: "existing.state = \"synchronous handler\"\nexisting.verifies = true",
    },
    Rule {
        id: "verification-not-said",
        severity: Note,
        subject: Subject::Verification,
        fires: |intake, _| {
            let receives = matches!(intake.existing.kind, State::Synchronous | State::Queued);
            let open = intake.existing.verifies.is_none() && !facts::had(intake, Trouble::BadSignature);
            let answers = ["existing.verifies", "existing.state", "existing.kind", "existing.incidents"];
            if receives && open { vec![Firing::whole().behind(answers)] } else { Vec::new() }
        },
        text: "You do not say whether signatures are checked today. If they are not, whoever finds the URL can post events, \
               and your handler acts on them.",
        mend: "Send what receives today a request with a wrong signature: it has to refuse it, with 401 or 400. Then say \
               `existing.verifies`, true or false.",
        fires_for: r#"existing.state = "synchronous handler""#,
        rests_for: r#"existing.state = "synchronous handler; signatures are verified""#,
    },
    Rule {
        id: "nothing-proves-the-sender",
        severity: Serious,
        subject: Subject::Verification,
        fires: |intake, _| {
            let unproved = |s: &&SenderAnswers| facts::proves_nothing(s) && !facts::is(s, "unverified");
            together(intake.senders.iter().filter(unproved)).into_iter().collect()
        },
        text: "Nothing in a request proves that it comes from {senders}: whoever knows the URL can post.",
        mend: "Allow only the addresses it posts from (`allow`), make the path one that cannot be guessed, and take an \
               event as a hint: fetch the object by the sender's API before acting on it.",
        fires_for: r#"senders = ["docker-hub"]"#,
        rests_for: r#"senders = [{ name = "scanner", sender = "unverified" }]"#,
    },
    Rule {
        id: "own-program-unsigned",
        severity: Serious,
        subject: Subject::Verification,
        fires: |intake, _| {
            let unverified = |s: &&SenderAnswers| facts::is(s, "unverified");
            together(intake.senders.iter().filter(unverified)).into_iter().collect()
        },
        text: "Nothing is verified of {senders}: whoever can post from an allowed address can make events.",
        mend: "If that is a program of your own, let it sign: say `standard-webhooks` for its sender, and sign there with \
               that library, a few lines in every language. If it is a device that cannot, keep `allow` to its address \
               alone.",
        fires_for: r#"senders = [{ name = "scanner", sender = "unverified" }]"#,
        rests_for: r#"senders = [{ name = "scanner", sender = "standard-webhooks" }]"#,
    },
    Rule {
        id: "secret-is-shown",
        severity: Warning,
        subject: Subject::Verification,
        fires: |intake, _| {
            let senders: Vec<&SenderAnswers> = intake.senders.iter().filter(|s| facts::shows_its_secret(s)).collect();
            let (addresses, instead) = (facts::addresses_in_words(&senders), signs_instead(&senders));
            let found = together(senders).map(|f| f.with("addresses", addresses).with("instead", instead));
            found.into_iter().collect()
        },
        text: "Requests of {senders} carry a shared secret instead of a signature: whoever sees one of them, in a proxy's log \
               or a trace, can make others.",
        mend: "Keep request headers and query strings out of the logs of whatever stands in front, and change the secret on a \
               date.{addresses}{instead}",
        fires_for: r#"senders = ["gitlab"]"#,
        rests_for: r#"senders = ["github"]"#,
    },
    Rule {
        id: "body-partly-signed",
        severity: Warning,
        subject: Subject::Verification,
        fires: |intake, _| intake.senders.iter().filter_map(partly).collect(),
        text: "A right proof from {sender} leaves open: {open}. Whoever has one true request can make another with the rest \
               changed.",
        mend: "Take the event as a hint: fetch the object by its API, and act on what that says, before money moves \
               or access is given.",
        fires_for: r#"senders = ["paypal"]"#,
        rests_for: r#"senders = ["stripe"]"#,
    },
];

/// Of the gateway.
pub const RULES: &[Rule] = &[
    Rule {
        id: "unknown-sender",
        severity: Warning,
        subject: Subject::Verification,
        fires: |intake, _| together(intake.senders.iter().filter(|s| facts::is_unknown(s))).into_iter().collect(),
        text: "How {senders} signs, how long it waits, and whether it comes again is not in the catalogue. The set-up \
               assumes the most usual scheme, refuses what does not fit it, and takes what arrives during a downtime for lost.",
        mend: "Read in its documentation: the signature's header, algorithm and encoding, the text that is signed, where id, \
               type and time stand; then fill in `[sources.NAME.hmac]`. If it only shows a secret, use `bearer` or \
               `basic-auth`; if it has nothing, `unverified` with `allow`.",
        fires_for: r#"senders = ["acme-billing"]"#,
        rests_for: r#"senders = ["stripe"]"#,
    },
    Rule {
        id: "public-url-unknown",
        severity: Warning,
        subject: Subject::Verification,
        fires: |intake, design| {
            let signs = |s: &&SenderAnswers| design.source(&s.name).is_some_and(|source| source.needs_public_url);
            let unknown = intake.infrastructure.public_url.is_none();
            let found = together(intake.senders.iter().filter(signs)).filter(|_| unknown);
            found.map(|f| f.behind(["infrastructure.public_url"])).into_iter().collect()
        },
        text: "The public URL is part of what is signed by {senders}, and you have not said what it is: with another one, \
               every request is refused.",
        mend: "Set `infrastructure.public_url` (it becomes `server.public_url`) to exactly what is entered at the sender. \
               Whatever stands in front has to leave path and query as they are.",
        fires_for: r#"senders = ["twilio"]"#,
        rests_for: r#"
            senders = ["twilio"]
            infrastructure.public_url = "https://hooks.example.com"
        "#,
    },
    Rule {
        id: "proxy-in-front-of-a-signed-url",
        severity: Note,
        subject: Subject::Verification,
        fires: |intake, design| {
            let signs = |s: &&SenderAnswers| design.source(&s.name).is_some_and(|source| source.needs_public_url);
            let proxied = intake.infrastructure.proxy.is_some();
            let found = together(intake.senders.iter().filter(signs)).filter(|_| proxied);
            found.map(|f| f.behind(["infrastructure.proxy"])).into_iter().collect()
        },
        text: "The URL is signed by {senders}, and a proxy stands in front. One that adds a slash, strips a prefix or \
               reorders the query makes every signature wrong.",
        mend: "Pass the path through unchanged, and try it from outside: a request that the sender's test button makes \
               has to show up in `hookhaven events list`, not in `hookhaven rejected list`.",
        fires_for: r#"
            senders = ["twilio"]
            infrastructure.proxy = "nginx"
        "#,
        rests_for: r#"
            senders = ["stripe"]
            infrastructure.proxy = "nginx"
        "#,
    },
    Rule {
        id: "token-of-the-handshake",
        severity: Note,
        subject: Subject::Verification,
        fires: |intake, design| {
            let compares = |s: &&SenderAnswers| {
                design.source(&s.name).is_some_and(|source| source.verify_token_variable.is_some())
            };
            together(intake.senders.iter().filter(compares)).into_iter().collect()
        },
        text: "A subscription of {senders} begins with a question for a token that you make up. Without it there is no first \
               event.",
        mend: "Put a long random text into the variable of `verify_token` in `.env`, start the gateway, and only then \
               enter URL and token at the sender: it asks at that moment.",
        fires_for: r#"senders = ["meta"]"#,
        rests_for: r#"senders = ["stripe"]"#,
    },
];

/// Of those that can; begins with a blank.
fn signs_instead(senders: &[&SenderAnswers]) -> String {
    let one = |sender: &&SenderAnswers| {
        let other = sender.sender?.signs_instead?;
        Some(format!(" {} can sign instead: switch that on there, and say `{other}`.", facts::title(sender)))
    };
    senders.iter().filter_map(one).collect()
}

fn partly(sender: &SenderAnswers) -> Option<Firing> {
    let (declared, built) = facts::built(sender)?;
    let partly = matches!(built.covers(), Cover::Part | Cover::Checksum);
    let own = facts::shows_its_secret(sender) || facts::proves_nothing(sender);
    let open = declared.unsigned_in_words();
    let nothing = built.covers() == Cover::Nothing && !own;
    (partly || nothing).then(|| Firing::of(sender).with("open", open).behind(["senders"]))
}
