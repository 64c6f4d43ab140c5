//! The tower layer: it mounts the session, and commits it once the handler answered.

mod body;
mod builder;
mod future;
mod response;
mod service;

use std::{fmt, sync::Arc};

use ::cookie::Key;
use http::Extensions;
use tower_layer::Layer;

pub use self::{
    body::SessionBody, builder::WizSessionLayerBuilder, future::ResponseFuture,
    service::WizSessionService,
};
use crate::{
    error::Error,
    session::{LayerConfig, SessionExtension, WizSession},
    sessions::Sessions,
    store::SessionStore,
};

/// Gives every request below it a [`WizSession`](crate::WizSession).
///
/// # Default use
///
/// ```
/// use axum::{Router, routing::get};
/// use wiz_session::{Key, MemoryStore, WizSession, WizSessionLayer};
///
/// async fn visits(session: WizSession) -> Result<String, wiz_session::Error> {
///     let visits = session.update("visits", |n: &mut u32| *n += 1)?;
///     Ok(format!("visit {visits}"))
/// }
///
/// let app: Router = Router::new()
///     .route("/", get(visits))
///     .layer(WizSessionLayer::new(MemoryStore::new(), Key::generate()));
/// ```
///
/// The cookie is `__Host-sid`, which browsers send over HTTPS only; for development over plain HTTP see
/// [`CookieOptions::insecure`](crate::CookieOptions::insecure).
///
/// # Customised use
///
/// ```
/// use std::time::Duration;
/// use wiz_session::{CookieOptions, Key, MemoryStore, WizSessionLayer};
///
/// # fn key(_: &str) -> Key { Key::generate() }
/// let layer = WizSessionLayer::builder(MemoryStore::new(), key("this year's"))
///     .previous_keys([key("last year's")])
///     .cookie(CookieOptions::default().name("__Host-shop"))
///     .idle_timeout(Duration::from_secs(15 * 60))
///     .build()?;
/// # Ok::<(), wiz_session::ConfigError>(())
/// ```
///
/// # Behaviour
///
/// A request whose handler never asks for the session costs nothing: no store call, no look at a cookie. One that
/// reads it makes the response carry `Vary: Cookie`. Changes are committed before the head of the response leaves; if
/// that fails the response is replaced by an empty one with status 503, 413 or 500. A response that carries
/// the session's cookie is marked `Cache-Control: no-store`.
///
/// Layers may be nested, on routers that are merged or nested for instance: those with one cookie name share one
/// session, which the outermost loads and commits. Below a
/// [`CookieManagerLayer`](tower_cookies::CookieManagerLayer) the cookie is written through its jar.
///
/// Clones, and all services made by them, share one configuration; making one more is a reference count.
#[derive(Clone)]
pub struct WizSessionLayer {
    config: Arc<LayerConfig>,
}

impl WizSessionLayer {
    /// A layer with secure defaults: those of [`WizSessionLayerBuilder`].
    #[must_use]
    pub fn new(store: impl SessionStore, key: Key) -> Self {
        Self::builder(store, key)
            .build()
            .expect("the defaults are valid")
    }

    /// A layer with other settings than the defaults.
    ///
    /// The key signs the cookies: keep it secret, and the same over restarts and for all servers that share sessions.
    pub fn builder(store: impl SessionStore, key: Key) -> WizSessionLayerBuilder {
        WizSessionLayerBuilder::new(store, key)
    }

    /// Looks at this layer's sessions from outside, and ends them.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        Sessions::new(Arc::clone(&self.config))
    }
}

impl WizSessionLayer {
    /// This layer's own session of the request with these extensions, where an application has several of different
    /// cookies. One load at the first use, none later.
    ///
    /// ```
    /// use http::Extensions;
    /// use wiz_session::{Error, WizSessionLayer};
    ///
    /// async fn locale(shop: &WizSessionLayer, extensions: &Extensions) -> Result<String, Error> {
    ///     shop.session(extensions).await?.get_or("locale", "en".to_owned())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::is_missing_layer`] if the request did not come by this layer or a clone of it; [`Error::is_store`].
    pub fn session(
        &self,
        extensions: &Extensions,
    ) -> impl Future<Output = Result<WizSession, Error>> + Send + use<> {
        let extension = extensions.get::<SessionExtension>();
        let mut sessions = extension.into_iter().flat_map(SessionExtension::all);
        let own = sessions.find(|session| Arc::ptr_eq(&session.config, &self.config));
        let own = own.cloned().map(WizSession::of);
        async move { own.ok_or_else(Error::missing_layer)?.loaded().await }
    }
}

impl<S> Layer<S> for WizSessionLayer {
    type Service = WizSessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WizSessionService::new(inner, Arc::clone(&self.config))
    }
}

impl fmt::Debug for WizSessionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WizSessionLayer")
            .field("cookie", self.config.cookie.options())
            .finish_non_exhaustive()
    }
}
