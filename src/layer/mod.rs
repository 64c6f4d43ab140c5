//! The tower layer: mounts the session in the request, and commits it after the handler has answered.

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
#[cfg(feature = "flask")]
pub(crate) use self::{future::is_failure, response::keep_out_of_caches};
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
/// The cookie is `__Host-sid`, which browsers send over HTTPS only. For development over plain HTTP see
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
/// A request whose handler never asks for the session costs no store call, no parsing and no signature check. If the
/// session was read, the response carries `Vary: Cookie`; if it sets the session's cookie, `Cache-Control: no-store`.
///
/// ## The commit
///
/// Changes are committed after the handler has answered and before the response headers are sent. A response with
/// status 5xx or 408, or an error of the inner service, discards them, except a
/// [`clear`](crate::WizSession::clear).
///
/// If the commit fails, status and body are replaced: 503 for the store or a conflict, 413 for a session that is too
/// large, 409 for one that expired and was swept while the request was at work, 500 otherwise. Headers that described
/// the body go with it, and so do the handler's own cookies. All other headers stay, such as those of CORS or a request
/// id. The body of every response is a [`SessionBody`], which is the handler's body or empty; so the layer asks nothing
/// of the body type, and stands anywhere in a stack.
///
/// ## Several layers
///
/// *Clones* of one layer may be nested, as happens with routers that are merged or nested: they share one session, which
/// the outermost loads and commits. Layers with *different* cookie names are separate sessions; the extractor gives the
/// innermost, and [`session`](Self::session) gives a particular layer's own.
///
/// Two *different* layers with one cookie name are a mistake, as each would overwrite the other's cookie. The inner one
/// answers 500 with a message that says so, at the first use of the session.
///
/// Below a [`CookieManagerLayer`](tower_cookies::CookieManagerLayer) the cookie is written through its jar.
///
/// Cloning a layer, or applying it, is a reference count.
#[derive(Clone)]
pub struct WizSessionLayer {
    config: Arc<LayerConfig>,
}

impl WizSessionLayer {
    /// A layer with the defaults of [`WizSessionLayerBuilder`], which are secure.
    #[must_use]
    pub fn new(store: impl SessionStore, key: Key) -> Self {
        Self::builder(store, key)
            .build()
            .expect("the defaults are valid")
    }

    /// A builder, to change the defaults.
    ///
    /// The key signs the cookies. Keep it secret, keep it across restarts, and give the same key to all servers that
    /// share sessions.
    pub fn builder(store: impl SessionStore, key: Key) -> WizSessionLayerBuilder {
        WizSessionLayerBuilder::new(store, key)
    }

    /// Lists and ends this layer's sessions from outside of a request.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        Sessions::new(Arc::clone(&self.config))
    }
}

impl WizSessionLayer {
    /// This layer's own session of the request with these extensions, for applications that mount several layers with
    /// different cookie names. The extractor and [`from_extensions`](WizSession::from_extensions) give the innermost.
    ///
    /// The first use of a request costs one `load` if the cookie's signature is valid; later uses cost nothing.
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
    /// An extractor of the application's own, for each of them, makes handlers as short as with one:
    ///
    /// ```
    /// use axum::{Router, extract::FromRequestParts, routing::get};
    /// use http::request::Parts;
    /// use wiz_session::{CookieOptions, Error, Key, MemoryStore, WizSession, WizSessionLayer};
    ///
    /// /// The session of the shop, beside that of the administration.
    /// struct Shop(WizSession);
    ///
    /// #[derive(Clone)]
    /// struct Layers {
    ///     shop: WizSessionLayer,
    ///     admin: WizSessionLayer,
    /// }
    ///
    /// impl FromRequestParts<Layers> for Shop {
    ///     type Rejection = Error;
    ///
    ///     async fn from_request_parts(parts: &mut Parts, layers: &Layers) -> Result<Self, Error> {
    ///         layers.shop.session(&parts.extensions).await.map(Self)
    ///     }
    /// }
    ///
    /// async fn cart(Shop(session): Shop) -> Result<String, Error> {
    ///     session.get_or("cart", "empty".to_owned())
    /// }
    ///
    /// # fn app() -> Result<Router, wiz_session::ConfigError> {
    /// let layer = |cookie| {
    ///     WizSessionLayer::builder(MemoryStore::new(), Key::generate()).cookie(CookieOptions::new(cookie)).build()
    /// };
    /// let layers = Layers { shop: layer("__Host-shop")?, admin: layer("__Host-admin")? };
    /// let app = Router::new()
    ///     .route("/cart", get(cart))
    ///     .layer(layers.shop.clone())
    ///     .layer(layers.admin.clone())
    ///     .with_state(layers);
    /// # Ok(app) }
    /// # app().unwrap();
    /// ```
    ///
    /// # Errors
    /// [`Error::is_missing_layer`] if the request did not pass through this layer or a clone of it; [`Error::is_store`].
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
