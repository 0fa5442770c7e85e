//! Attempts as bytes. The specification stands with the records in `codec`.

use hookhaven_core::{Attempt, AttemptId, DeliveryId, ErrorClass, Phases};

use super::{DecodeError, Reader, VERSION, Writer, headers, open, read_header, read_number};

/// An attempt by itself.
pub(crate) fn encode_attempt(a: &Attempt) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    attempt(&mut Writer(&mut bytes), a);
    bytes
}

pub(crate) fn decode_attempt(bytes: &[u8]) -> Result<Attempt, DecodeError> {
    let mut r = open(bytes)?;
    let attempt = read_attempt(&mut r)?;
    r.end()?;
    Ok(attempt)
}

pub(super) fn attempt(w: &mut Writer<'_>, a: &Attempt) {
    w.id(a.id.as_bytes());
    w.id(a.delivery.as_bytes());
    w.varint(u64::from(a.number));
    w.time(a.started_at);
    w.varint(a.duration_us);
    let Phases { dns_us, connect_us, tls_us, first_byte_us } = a.phases;
    for phase in [dns_us, connect_us, tls_us, first_byte_us] {
        w.option(phase, Writer::varint);
    }
    w.option(a.status.map(u64::from), Writer::varint);
    w.u8(class_number(a.class));
    w.text(&a.error);
    headers(w, &a.response_headers);
    w.bytes(&a.response_excerpt);
    w.option(a.next_attempt_at, Writer::time);
}

pub(super) fn read_attempt(r: &mut Reader<'_>) -> Result<Attempt, DecodeError> {
    Ok(Attempt {
        id: AttemptId::from_bytes(r.id()?),
        delivery: DeliveryId::from_bytes(r.id()?),
        number: r.u32()?,
        started_at: r.time()?,
        duration_us: r.varint()?,
        phases: Phases {
            dns_us: r.option(Reader::varint)?,
            connect_us: r.option(Reader::varint)?,
            tls_us: r.option(Reader::varint)?,
            first_byte_us: r.option(Reader::varint)?,
        },
        status: r.option(Reader::u16)?,
        class: read_number(r, "error class", class_of)?,
        error: r.text()?,
        response_headers: r.list(read_header)?,
        response_excerpt: r.bytes()?,
        next_attempt_at: r.option(Reader::time)?,
    })
}

pub(crate) fn class_number(class: ErrorClass) -> u8 {
    match class {
        ErrorClass::Ok => 1,
        ErrorClass::Dns => 2,
        ErrorClass::Connect => 3,
        ErrorClass::Tls => 4,
        ErrorClass::Timeout => 5,
        ErrorClass::Protocol => 6,
        ErrorClass::RateLimited => 7,
        ErrorClass::Http5xx => 8,
        ErrorClass::Http4xx => 9,
        ErrorClass::Http3xx => 10,
        ErrorClass::Refused => 11,
        ErrorClass::Lost => 12,
        ErrorClass::Store => 13,
    }
}

fn class_of(n: u8) -> Option<ErrorClass> {
    ErrorClass::ALL.into_iter().find(|class| class_number(*class) == n)
}
