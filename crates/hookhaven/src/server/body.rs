//! An answer's body that says when it is done with: a request is under way until then.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::activity::Activity;

/// A request under way; dropped, it is not.
pub(super) struct UnderWay(Arc<Activity>);

impl UnderWay {
    pub fn begin(activity: &Arc<Activity>, http2: bool) -> Self {
        activity.begin(http2);
        UnderWay(activity.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The handler's body, or none for answers that the connection itself gives.
pub(super) struct Answered<B> {
    body: Option<B>,
    _under_way: UnderWay,
}

impl<B> Answered<B> {
    pub fn new(body: Option<B>, under_way: UnderWay) -> Self {
        Answered { body, _under_way: under_way }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Answered<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
