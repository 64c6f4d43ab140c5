//! Routes for users alone: a layer that lets a request pass if its session fulfils conditions.

mod future;
mod redirect;
mod rules;
mod service;

use std::{fmt, sync::Arc, time::Duration};

use http::HeaderValue;
use tower_layer::Layer;

use self::rules::Rules;
pub use self::{future::GuardFuture, service::GuardService};
use crate::{error::Error, session::WizSession};

/// Lets requests pass whose session is that of a user, and answers all others itself.
///
/// It stands inside of the [`WizSessionLayer`](crate::WizSessionLayer), around the routes that it guards:
///
/// ```
/// use std::time::Duration;
/// use axum::{Router, routing::{get, post}};
/// use wiz_session::{Guard, Key, MemoryStore, WizSessionLayer};
///
/// let pages = Router::new()
///     .route("/account", get(|| async { "your account" }))
///     .route_layer(Guard::user().login_at("/login"));
/// let admin = Router::new()
///     .route("/admin/users", get(|| async { "all users" }))
///     .route_layer(Guard::user().when(|session| session.get_or("is_admin", false)));
/// let danger = Router::new()
///     .route("/account/delete", post(|| async { "deleted" }))
///     .route_layer(Guard::user().fresh(Duration::from_secs(300)));
///
/// let app: Router = pages
///     .merge(admin)
///     .merge(danger)
///     .layer(WizSessionLayer::new(MemoryStore::new(), Key::generate()));
/// ```
///
/// Mount it by `route_layer`: a path that does not exist is then a 404 for all, and not a way to the login.
///
/// # Answers
///
/// | the request's session | without [`login_at`](Self::login_at) | with it |
/// |---|---|---|
/// | has no user, or is not [fresh](Self::fresh) | 401 | 303 to the login |
/// | does not fulfil a [condition](Self::when) | 403 | 403 |
/// | cannot be read, as the store fails | 503 | 503 |
///
/// Where the layer takes [bearer tokens](crate::WizSessionLayerBuilder::bearer), a 401 has the challenge of RFC 6750, or of
/// RFC 9470 if the login is not fresh.
///
/// # Cost
///
/// The `load` that the handler's first use of the session would be. Clones share their settings.
#[derive(Clone)]
#[must_use]
pub struct Guard {
    rules: Arc<Rules>,
}

impl Guard {
    /// Lets users pass: requests whose session has [logged in](WizSession::log_in).
    pub fn user() -> Self {
        Self {
            rules: Arc::default(),
        }
    }

    /// Asks for a login that is no older than this, for actions that ask for the password again ("step-up"; OWASP ASVS 5.0
    /// §7.5.3). Defaults to any age.
    pub fn fresh(self, within: Duration) -> Self {
        self.with(|rules| rules.fresh = Some(within))
    }

    /// Adds a condition: a role, an accepted contract. Of several, all have to hold. It is asked only if a user is logged
    /// in, must not block, and may look at the session as a handler does; an error is answered with its
    /// [status](Error::status).
    ///
    /// ```
    /// use wiz_session::Guard;
    ///
    /// let editors = Guard::user().when(|session| {
    ///     let roles: Vec<String> = session.get_or_default("roles")?;
    ///     Ok(roles.iter().any(|role| role == "editor"))
    /// });
    /// ```
    pub fn when(
        self,
        condition: impl Fn(&WizSession) -> Result<bool, Error> + Send + Sync + 'static,
    ) -> Self {
        self.with(|rules| rules.conditions.push(Arc::new(condition)))
    }

    /// Redirects to this page, by a 303, where a login is needed. For pages that people open; for an API, 401 is better.
    ///
    /// The path of a `GET` is remembered in the session for [after the login](WizSession::take_redirect_after_login). That
    /// begins a session for a visitor who has none; see [`next_in_query`](Self::next_in_query). It is not remembered if it
    /// is longer than 2048 bytes, if the session has no room for it, or if the request has a bearer token.
    ///
    /// # Panics
    /// If no header can hold the address, because of a line break for instance.
    pub fn login_at(self, page: impl Into<String>) -> Self {
        let page = page.into();
        assert!(
            fits_a_header(&page),
            "no header can hold the address {page:?}"
        );
        self.with(|rules| rules.login_at = Some(page))
    }

    /// Hands the path to the login page in its query, under this name, in place of the session: nothing is stored for a
    /// visitor, or for a crawler. The login page has to hand it on, and has to check it by
    /// [`local_path`](Self::local_path) before it redirects, as such a link can be made by others.
    ///
    /// ```
    /// use wiz_session::Guard;
    ///
    /// // 303 to /login?next=/account
    /// let guard = Guard::user().login_at("/login").next_in_query("next");
    /// ```
    ///
    /// # Panics
    /// If no header can hold the name.
    pub fn next_in_query(self, name: impl Into<String>) -> Self {
        let name = name.into();
        assert!(fits_a_header(&name), "no header can hold the name {name:?}");
        self.with(|rules| rules.next_in_query = Some(name))
    }

    /// The text, if it is a path of this site, with or without a query. `None` for what a browser takes for an address of
    /// another site, `//example.com` and `/\example.com` for instance: a redirect to it would be an open one (CWE-601).
    ///
    /// ```
    /// use wiz_session::Guard;
    ///
    /// assert_eq!(Guard::local_path("/account?tab=2"), Some("/account?tab=2"));
    /// assert_eq!(Guard::local_path("//example.com"), None);
    /// assert_eq!(Guard::local_path("https://example.com"), None);
    /// ```
    #[must_use]
    pub fn local_path(text: &str) -> Option<&str> {
        redirect::local_path(text)
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }
}

fn fits_a_header(text: &str) -> bool {
    HeaderValue::try_from(text.to_owned()).is_ok()
}

impl<S> Layer<S> for Guard {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> GuardService<S> {
        GuardService::new(inner, Arc::clone(&self.rules))
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("rules", &self.rules).finish()
    }
}
