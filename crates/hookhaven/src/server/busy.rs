//! What connections beyond the limit are answered: 503 and when to come again, whatever they ask, with
//! nothing of the body read.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::Full;
use hyper::body::Incoming;

use super::{Handler, Peer};

const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("5");

#[derive(Clone, Copy, Debug)]
pub(super) struct Busy;

impl Handler for Busy {
    type Body = Full<Bytes>;

    async fn handle(&self, request: Request<Incoming>, _peer: Peer) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_S);
        if request.version() < Version::HTTP_2 {
            // The next request may find a seat on a connection of its own.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
