use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a response that passed through a [`WizSessionLayer`](crate::WizSessionLayer): the handler's body, or
    /// an empty one if the commit failed. It is a [`Body`] wherever `B` is one, with the same data and error types; `B`
    /// needs neither `Default` nor a conversion.
    ///
    /// axum turns it into its own body by itself. In a plain tower service it shows in the types:
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use wiz_session::{Key, MemoryStore, SessionBody, WizSessionLayer};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let hello = service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new("hello".to_owned())));
    /// let service = WizSessionLayer::new(MemoryStore::new(), Key::generate()).layer(hello);
    /// let response: Response<SessionBody<String>> = service.oneshot(Request::new(())).await.unwrap();
    /// assert_eq!(response.into_body().into_inner().as_deref(), Some("hello"));
    /// # }
    /// ```
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

    /// The handler's body, or `None` if the commit failed.
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
