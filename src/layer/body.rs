use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response that came through a [`WizSessionLayer`](crate::WizSessionLayer): the handler's, or nothing
    /// where the commit failed. So the layer asks nothing of the handler's body, and stands anywhere in a stack.
    #[derive(Debug, Clone, Default)]
    pub struct SessionBody<B> {
        #[pin]
        inner: Option<B>,
    }
}

impl<B> SessionBody<B> {
    #[inline]
    pub(super) fn new(inner: B) -> Self {
        Self { inner: Some(inner) }
    }

    /// The handler's body, or `None` where the commit failed.
    ///
    /// ```
    /// fn text(body: wiz_session::SessionBody<String>) -> String {
    ///     body.into_inner().unwrap_or_default()
    /// }
    /// ```
    #[must_use]
    pub fn into_inner(self) -> Option<B> {
        self.inner
    }

    pub(super) fn clear(&mut self) {
        self.inner = None;
    }
}

impl<B: Body> Body for SessionBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().inner.as_pin_mut() {
            Some(inner) => inner.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
