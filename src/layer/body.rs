use std::{
    any::{Any, TypeId},
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
    /// Where the layer answers a browser itself, to bind a session to its device, it is a text. That takes a body whose data
    /// are [`Bytes`](https://docs.rs/bytes), as those of axum, hyper and tower-http are; with other data it is empty.
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
    #[derive(Debug, Clone)]
    pub struct SessionBody<B> {
        #[pin]
        content: Content<B>,
    }
}

pin_project! {
    #[project = ContentProjection]
    #[derive(Debug, Clone)]
    enum Content<B> {
        Handlers { #[pin] body: B },
        // `None` once it is read, and where there is none.
        Text { text: Option<Box<str>> },
    }
}

impl<B> Content<B> {
    const EMPTY: Self = Self::Text { text: None };
}

impl<B> Default for SessionBody<B> {
    fn default() -> Self {
        Self {
            content: Content::EMPTY,
        }
    }
}

impl<B> SessionBody<B> {
    #[inline]
    pub(super) fn new(inner: B) -> Self {
        Self {
            content: Content::Handlers { body: inner },
        }
    }

    /// The layer's own.
    pub(super) fn of_text(text: Option<Box<str>>) -> Self {
        Self {
            content: Content::Text { text },
        }
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
        match self.content {
            Content::Handlers { body } => Some(body),
            Content::Text { .. } => None,
        }
    }

    pub(super) fn clear(&mut self) {
        self.content = Content::EMPTY;
    }
}

impl<B: Body + 'static> Body for SessionBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().content.project() {
            ContentProjection::Handlers { body } => body.poll_frame(cx),
            ContentProjection::Text { text } => Poll::Ready(text.take().and_then(frame).map(Ok)),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Handlers { body } => body.is_end_stream(),
            Content::Text { text } => text.is_none(),
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Handlers { body } => body.size_hint(),
            Content::Text { text: Some(text) } if is_of_bytes::<B::Data>() => {
                SizeHint::with_exact(text.len() as u64)
            }
            Content::Text { .. } => SizeHint::with_exact(0),
        }
    }
}

/// What hyper and all that stands on it takes for data, named by a body of the same crate.
type Bytes = <String as Body>::Data;

fn is_of_bytes<D: 'static>() -> bool {
    TypeId::of::<D>() == TypeId::of::<Bytes>()
}

/// The text as such data, if they are `Bytes`.
fn frame<D: 'static>(text: Box<str>) -> Option<Frame<D>> {
    let mut bytes = Some(Bytes::from(String::from(text)));
    let data: &mut Option<D> = (&mut bytes as &mut dyn Any).downcast_mut()?;
    data.take().map(Frame::data)
}
