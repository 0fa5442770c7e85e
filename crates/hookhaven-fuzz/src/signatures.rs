//! Signatures: arbitrary header values and bodies through `verify` of every sender. Nothing panics, the
//! verdict is that of a second, naive reading of the sender's documentation (`reference`), and what ingest
//! does after a verdict is safe to do even with what was refused.

use crate::{
    bodies::facts_are_usable,
    reference::{Verdict, verdict},
    requests,
};

/// An input is a request in the format of `requests`.
pub fn run(data: &[u8]) {
    let Some(given) = requests::read(data) else { return };
    let (request, keys) = (given.request(), given.keys());
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
    facts_are_usable(&*given.case.sender, &request);
    let _ = given.case.sender.handshake(&request);
}
