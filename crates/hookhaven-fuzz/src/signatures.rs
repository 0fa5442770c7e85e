//! Signatures: arbitrary header values and bodies through `verify` of every sender. Nothing panics, the
//! verdict is that of a second, naive reading of the sender's documentation (`reference`), and what ingest
//! does after a verdict is safe to do even with what was refused.

use crate::{
    bodies::facts_are_usable,
    diagnosis,
    reference::{Verdict, verdict},
    requests::{self, OWN},
};

/// An input is a request in the format of `requests`.
pub fn run(data: &[u8]) {
    let Some(given) = requests::read(data) else { return };
    let (request, keys) = (given.request(), given.keys());
    // What is asked to be fetched is the sender's own and nobody else's.
    if let Ok(Some(fetch)) = given.case.sender.needs(&request, &keys) {
        let own = [".plaid.com/", ".paypal.com/", ".amazonaws.com/", ".amazonaws.com.cn/"];
        let host = &fetch.url[..fetch.url[8..].find('/').map_or(fetch.url.len(), |at| at + 9)];
        assert!(fetch.url.starts_with("https://") && own.iter().any(|own| host.ends_with(own)), "{}", fetch.url);
    }
    let said = given.case.sender.verify(&request, &keys);
    assert_eq!(said, given.case.sender.verify(&request, &keys), "a verdict that changes");
    match verdict(&given) {
        Verdict::Accept => assert!(said.is_ok(), "{}: refused as {said:?}", given.case.label),
        Verdict::Refuse => assert!(said.is_err(), "{}: accepted, {said:?}", given.case.label),
        Verdict::Unknown => {}
    }
    if let Ok(proof) = said {
        assert!(proof.secret.is_none_or(|n| n < 2), "a secret that the source does not have");
    }
    diagnosis::agrees(&given, said);
    facts_are_usable(&*given.case.sender, &request);
    let _ = given.case.sender.handshake(&request, &OWN);
    let _ = given.case.sender.greet(&request, &OWN);
}
