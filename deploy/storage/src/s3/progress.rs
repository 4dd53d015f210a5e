//! Saying that a request's body gets on.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use aws_sdk_s3::{
    config::{
        ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextMut,
    },
    error::BoxError,
    primitives::SdkBody,
};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::retry::Progress;

/// How much of a body is handed on at once: what the network takes shows in steps of this size.
const STEP_BYTES: usize = 256 << 10;

/// Watches the body of every request as it is sent, after it was signed.
#[derive(Debug)]
pub(super) struct Watch(pub(super) Progress);

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "Watch"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.request_mut().body_mut();
        *body = SdkBody::from_body_1_x(Watched {
            body: std::mem::replace(body, SdkBody::taken()),
            next: Bytes::new(),
            progress: self.0.clone(),
        });
        Ok(())
    }
}

/// A body that is handed on in steps.
struct Watched {
    body: SdkBody,
    /// What the body gave and was not yet handed on.
    next: Bytes,
    progress: Progress,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.progress.made();
        if self.next.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.next = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                end => return Poll::Ready(end),
            }
        }
        let step_bytes = self.next.len().min(STEP_BYTES);
        let step = self.next.split_to(step_bytes);
        Poll::Ready(Some(Ok(Frame::data(step))))
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.next.len() as u64;
        let rest = Body::size_hint(&self.body);
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + held);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + held);
        }
        hint
    }
}
