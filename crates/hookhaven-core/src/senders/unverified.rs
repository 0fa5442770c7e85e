//! `sender = "unverified"`: no signature at all. Must be written out, and its source needs an allow-list of
//! addresses, which ingest checks; nothing here protects anything.
//!
//! The key of an event comes from the headers that say "this is the event's id"; an `id` in the body is as often
//! the id of the thing the event is about, and taking it would merge several events into one. So without such a
//! header the key is a hash of the body.

use std::sync::Arc;

use super::{BadScheme, SenderDef, SenderOptionError, SenderOptions, facts::FactPlaces, sample::Body};
use crate::{
    json::Pointer,
    secret::Secret,
    sender::{CannotSign, Facts, Keys, Proof, Rejection, Request, Sample, Sender, Signed},
    time::Time,
};

pub const DEF: SenderDef = SenderDef { name: NAME, aliases: &[], title: "Anyone, unverified", verifies: false, build };

const NAME: &str = "unverified";

fn build(options: &SenderOptions) -> Result<Arc<dyn Sender>, SenderOptionError> {
    options.refuse_hmac(NAME)?;
    let places = FactPlaces::parse(
        &["header:webhook-id", "header:ce-id", "header:idempotency-key"],
        &["header:ce-type", "header:x-event-type", "json:/type"],
        &["header:ce-time"],
    );
    let places = places.map_err(|e| BadScheme::new("id", e))?;
    Ok(Arc::new(Unverified { places }))
}

#[derive(Debug)]
struct Unverified {
    places: FactPlaces,
}

impl Sender for Unverified {
    fn name(&self) -> &'static str {
        NAME
    }
    fn verify(&self, _: &Request<'_>, _: &Keys<'_>) -> Result<Proof, Rejection> {
        Ok(Proof { secret: None })
    }
    fn facts(&self, request: &Request<'_>) -> Facts {
        self.places.read(request.headers, request.body)
    }
    fn sample_types(&self) -> &'static [&'static str] {
        &["sample"]
    }
    fn sample(&self, event_type: &str, id: &str, _: Time) -> Result<Sample, CannotSign> {
        let mut body = Body::default();
        body.set(&Pointer::parse("/type").map_err(|e| CannotSign(e.to_string()))?, event_type.into());
        Ok(Sample { id: id.to_owned(), event_type: event_type.to_owned(), body: body.into_bytes() })
    }
    fn sign(&self, sample: &Sample, _: Option<&str>, _: &Secret, _: Time) -> Result<Signed, CannotSign> {
        let headers =
            vec![("content-type".into(), "application/json".into()), ("webhook-id".into(), sample.id.clone())];
        Ok(Signed { headers, query: String::new(), body: sample.body.clone() })
    }
}
