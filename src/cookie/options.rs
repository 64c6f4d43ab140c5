use std::{borrow::Cow, time::Duration};

use ::cookie::{Cookie, SameSite};

use crate::error::ConfigError;

/// The name and the attributes of the session's cookie.
///
/// The default is as strict as browsers allow (RFC 6265bis §4.1.3): `__Host-sid; HttpOnly; SameSite=Lax; Secure;
/// Path=/`, no domain, gone when the browser closes. `HttpOnly` cannot be turned off.
///
/// What contradicts itself is refused when the layer is built. Why the defaults are as they are:
/// [security](crate::guide::security).
///
/// ```
/// use wiz_session::{CookieOptions, Key, MemoryStore, SameSite, WizSessionLayer};
///
/// let strict = CookieOptions::default().same_site(SameSite::Strict);
/// let layer = WizSessionLayer::builder(MemoryStore::new(), Key::generate()).cookie(strict).build()?;
///
/// let not_secure = CookieOptions::default().secure(false); // its name promises that it is
/// assert!(WizSessionLayer::builder(MemoryStore::new(), Key::generate()).cookie(not_secure).build().is_err());
/// # Ok::<(), wiz_session::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieOptions {
    name: Cow<'static, str>,
    path: Cow<'static, str>,
    domain: Option<Cow<'static, str>>,
    secure: bool,
    same_site: SameSite,
    partitioned: bool,
}

impl CookieOptions {
    /// A secure cookie of this name.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            path: "/".into(),
            domain: None,
            secure: true,
            same_site: SameSite::Lax,
            partitioned: false,
        }
    }

    /// A cookie that also travels over plain HTTP, where everybody on the way can read it: for development on
    /// `localhost` and nothing else.
    pub fn insecure(name: impl Into<Cow<'static, str>>) -> Self {
        Self::new(name).secure(false)
    }

    /// The cookie's name. Defaults to `__Host-sid`.
    #[must_use]
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Only requests below this path carry the cookie. Defaults to `/`.
    #[must_use]
    pub fn path(mut self, path: impl Into<Cow<'static, str>>) -> Self {
        self.path = path.into();
        self
    }

    /// Also requests to subdomains carry the cookie, and any of them can set it. Defaults to none: this host only.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<Cow<'static, str>>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Only HTTPS carries the cookie. Defaults to `true`.
    #[must_use]
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Which requests from other sites carry the cookie. Defaults to [`SameSite::Lax`]: links do, forms do not.
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// A jar of its own for each site that embeds this one (CHIPS). Defaults to `false`.
    #[must_use]
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.partitioned = partitioned;
        self
    }

    pub(crate) fn cookie_name(&self) -> &str {
        &self.name
    }

    /// The one place that builds the cookie: to set it, and with an empty value and no age to remove it. So both
    /// agree in everything that a browser compares.
    pub(crate) fn cookie(&self, value: String, max_age: Option<Duration>) -> Cookie<'static> {
        let mut cookie = Cookie::new(self.name.clone(), value);
        cookie.set_path(self.path.clone());
        cookie.set_http_only(true);
        cookie.set_same_site(self.same_site);
        if self.secure {
            cookie.set_secure(true);
        }
        if self.partitioned {
            cookie.set_partitioned(true);
        }
        if let Some(domain) = &self.domain {
            cookie.set_domain(domain.clone());
        }
        if let Some(age) = max_age {
            cookie.set_max_age(cookie::time::Duration::seconds(Self::seconds(age)));
        }
        cookie
    }

    pub(crate) fn seconds(age: Duration) -> i64 {
        i64::try_from(age.as_secs()).unwrap_or(i64::MAX)
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |why: &'static str| Err(ConfigError::new(why));
        if self.name.is_empty() || !self.name.bytes().all(is_token) {
            return refuse(
                "a cookie's name is a token: choose one of ASCII letters, digits, `-` and `_`",
            );
        }
        if !self.path.starts_with('/') || !self.path.bytes().all(is_attribute) {
            return refuse(
                "a cookie's path begins with `/` and is of ASCII characters without `;`: choose such a path",
            );
        }
        if self
            .domain
            .as_ref()
            .is_some_and(|domain| domain.is_empty() || !domain.bytes().all(is_domain))
        {
            return refuse(
                "a cookie's domain is of ASCII letters, digits, `-` and `.`: choose such a domain, or none",
            );
        }
        // Browsers compare the prefixes without regard to case (RFC 6265bis §5.7).
        let prefixed = |prefix: &str| {
            self.name
                .get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        if prefixed("__Host-") && (!self.secure || self.path != "/" || self.domain.is_some()) {
            return refuse(
                "a `__Host-` cookie is secure, has path `/` and no domain; choose another name or drop the option",
            );
        }
        if !self.secure && prefixed("__Secure-") {
            return refuse("a `__Secure-` cookie is secure; choose another name for plain HTTP");
        }
        if !self.secure && self.same_site == SameSite::None {
            return refuse(
                "`SameSite=None` needs a secure cookie; make it one, or choose another `same_site`",
            );
        }
        if !self.secure && self.partitioned {
            return refuse("`Partitioned` needs a secure cookie; make it one, or drop the option");
        }
        Ok(())
    }
}

impl Default for CookieOptions {
    fn default() -> Self {
        Self::new("__Host-sid")
    }
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// `av-octet` of RFC 6265bis §4.1.1.
fn is_attribute(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b';'
}

fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_strict() {
        let cookie = CookieOptions::default().cookie("v".to_owned(), None);
        assert_eq!(
            cookie.to_string(),
            "__Host-sid=v; HttpOnly; SameSite=Lax; Secure; Path=/"
        );
    }

    #[test]
    fn set_and_removal_differ_in_value_and_age_only() {
        let options = CookieOptions::new("id")
            .path("/app")
            .domain("example.com")
            .same_site(SameSite::None)
            .partitioned(true);
        assert_eq!(
            options
                .cookie("v".to_owned(), Some(Duration::from_secs(60)))
                .to_string(),
            "id=v; HttpOnly; SameSite=None; Partitioned; Secure; Path=/app; Domain=example.com; Max-Age=60"
        );
        assert_eq!(
            options
                .cookie(String::new(), Some(Duration::ZERO))
                .to_string(),
            "id=; HttpOnly; SameSite=None; Partitioned; Secure; Path=/app; Domain=example.com; Max-Age=0"
        );
    }

    #[test]
    fn nonsense_is_refused() {
        let host = CookieOptions::default();
        let refused = [
            host.clone().secure(false),
            host.clone().path("/app"),
            host.clone().domain("example.com"),
            host.clone().name("__hOST-sid").secure(false),
            CookieOptions::insecure("__Secure-sid"),
            CookieOptions::insecure("sid").same_site(SameSite::None),
            CookieOptions::insecure("sid").partitioned(true),
            CookieOptions::new(""),
            CookieOptions::new("a b"),
            CookieOptions::new("a;b"),
            CookieOptions::new("쿠키"),
            CookieOptions::new("sid").path("app"),
            CookieOptions::new("sid").path("/;Domain=evil"),
            CookieOptions::new("sid").path("/\r\n"),
            CookieOptions::new("sid").domain(""),
            CookieOptions::new("sid").domain("a;b"),
        ];
        for options in refused {
            assert!(options.validate().is_err(), "{options:?}");
        }
        for options in [
            host,
            CookieOptions::insecure("sid"),
            CookieOptions::new("__Secure-sid").domain("example.com"),
        ] {
            assert_eq!(options.validate(), Ok(()), "{options:?}");
        }
    }
}
