use std::{borrow::Cow, time::Duration};

/// How sessions are bound to the device of their browser, for [`device_bound`](crate::WizSessionLayerBuilder::device_bound).
///
/// After a login the layer offers the browser to register a key that its hardware keeps. From then on the session's cookie
/// is worth nothing without a second, short-lived cookie, which the browser gets by signing with that key. So cookies that
/// are copied out of a browser are dead within minutes. The [guide](crate::guide::device_bound_sessions) says what it does
/// not help against, and how to introduce it.
///
/// ```
/// use std::time::Duration;
/// use wiz_session::{DeviceBinding, Key, MemoryStore, WizSessionLayer};
///
/// let layer = WizSessionLayer::builder(MemoryStore::new(), Key::generate())
///     .device_bound(DeviceBinding::offer().exclude(["/static"]))
///     .build()?;
///
/// let strict = DeviceBinding::require().cookie_lifetime(Duration::from_secs(5 * 60));
/// # Ok::<(), wiz_session::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct DeviceBinding {
    pub(super) is_required: bool,
    pub(super) cookie_lifetime: Duration,
    pub(super) grace: Option<Duration>,
    pub(super) path: Cow<'static, str>,
    pub(super) excluded: Vec<Cow<'static, str>>,
}

impl DeviceBinding {
    /// Binds the sessions of browsers that can do it. All others live as before.
    pub fn offer() -> Self {
        Self {
            is_required: false,
            cookie_lifetime: Duration::from_secs(10 * 60),
            grace: None,
            path: "/.well-known/wiz-session/device".into(),
            excluded: Vec::new(),
        }
    }

    /// As [`offer`](Self::offer), and a logged-in session that is not bound within the [grace](Self::grace) after its login
    /// reads as empty. It shuts out browsers that cannot do it, and clients with bearer tokens. Visitors' sessions, in which
    /// nobody is logged in, need no device.
    pub fn require() -> Self {
        Self {
            is_required: true,
            ..Self::offer()
        }
    }

    /// How long the bound cookie is good for, and so for how long at most cookies that are stolen work. The browser is told
    /// a twentieth less, in whole seconds and five at the most: what it sends before it drops the cookie arrives in time. It
    /// gets a new one shortly before. From a second to a day. Defaults to 10 minutes.
    pub fn cookie_lifetime(mut self, lifetime: Duration) -> Self {
        self.cookie_lifetime = lifetime;
        self
    }

    /// How long a session works without its bound cookie after it was registered, for requests that were sent before the
    /// cookie came; and with [`require`](Self::require) how long after its login, for the registration. From a second to ten
    /// minutes. Defaults to 30 seconds, or to a shorter [`cookie_lifetime`](Self::cookie_lifetime).
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Where the layer answers the browser: at `register` and `refresh` below this path. The layer has to stand where it
    /// sees these requests, around the outermost router. Browsers remember it: a binding is lost when it changes. Defaults
    /// to `/.well-known/wiz-session/device`.
    pub fn path(mut self, path: impl Into<Cow<'static, str>>) -> Self {
        self.path = path.into();
        self
    }

    /// Paths at and below which the browser does not wait for a new bound cookie, such as those of static files. A session
    /// that is read there without a good bound cookie reads as empty. Defaults to none.
    pub fn exclude<P: Into<Cow<'static, str>>>(
        mut self,
        paths: impl IntoIterator<Item = P>,
    ) -> Self {
        self.excluded = paths.into_iter().map(Into::into).collect();
        self
    }

    pub(super) fn grace_or_default(&self) -> Duration {
        const DEFAULT: Duration = Duration::from_secs(30);
        self.grace.unwrap_or(DEFAULT.min(self.cookie_lifetime))
    }
}
