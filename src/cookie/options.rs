use std::{borrow::Cow, time::Duration};

use ::cookie::{Cookie, SameSite};

use crate::error::ConfigError;

/// Name and attributes of the session cookie.
///
/// The default is as strict as browsers allow (RFC 6265bis §4.1.3): `__Host-sid; HttpOnly; SameSite=Lax; Secure;
/// Path=/`, without a domain, deleted when the browser closes. `HttpOnly` cannot be turned off.
///
/// Options that contradict each other, or that browsers would reject or ignore, are refused when the layer is built.
/// The reasons for the defaults are in [security](crate::guide::security).
///
/// ```
/// use wiz_session::{CookieOptions, Key, MemoryStore, SameSite, WizSessionLayer};
///
/// let strict = CookieOptions::default().same_site(SameSite::Strict);
/// let layer = WizSessionLayer::builder(MemoryStore::new(), Key::generate()).cookie(strict).build()?;
///
/// let not_secure = CookieOptions::default().secure(false); // but `__Host-sid` has to be
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
    /// A secure cookie with this name and otherwise the default attributes.
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

    /// A cookie that is also sent over plain HTTP, readable for everyone on the network path. Only for development on
    /// `localhost`.
    pub fn insecure(name: impl Into<Cow<'static, str>>) -> Self {
        Self::new(name).secure(false)
    }

    /// The cookie's name: a token of at most 128 bytes. Defaults to `__Host-sid`.
    ///
    /// Browsers hold a cookie to what its name's prefix promises, in upper or lower case: `__Secure-` and `__Http-` ask
    /// for a secure cookie, `__Host-` and `__Host-Http-` also for the path `/` and no domain. `HttpOnly`, which the
    /// `Http-` prefixes ask for, is always set.
    #[must_use]
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Browsers send the cookie only with requests below this path, of at most 1024 bytes. Defaults to `/`.
    #[must_use]
    pub fn path(mut self, path: impl Into<Cow<'static, str>>) -> Self {
        self.path = path.into();
        self
    }

    /// Browsers also send the cookie to subdomains of this domain, and each of them can set it. Defaults to none: this
    /// host only.
    ///
    /// As in browsers, a leading dot means nothing: `.example.com` is `example.com`.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<Cow<'static, str>>) -> Self {
        let domain = domain.into();
        self.domain = Some(match domain.strip_prefix('.') {
            Some(domain) => domain.to_owned().into(),
            None => domain,
        });
        self
    }

    /// Browsers send the cookie over HTTPS only. Defaults to `true`.
    #[must_use]
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Whether browsers send the cookie with requests that another site caused. Defaults to [`SameSite::Lax`]: with
    /// links, not with forms.
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Where this site is embedded, browsers keep a separate cookie for each embedding site (CHIPS). Defaults to
    /// `false`.
    #[must_use]
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.partitioned = partitioned;
        self
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.secure
    }

    pub(crate) fn cookie_name(&self) -> &str {
        &self.name
    }

    #[cfg(feature = "dbsc")]
    pub(crate) fn is_partitioned(&self) -> bool {
        self.partitioned
    }

    /// Whether browsers send the cookie to this path (RFC 6265bis §5.1.4).
    #[cfg(feature = "dbsc")]
    pub(crate) fn covers(&self, path: &str) -> bool {
        let rest = path.strip_prefix(&*self.path);
        rest.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/')
        })
    }

    /// Whether browsers take the two for one cookie.
    pub(crate) fn is_same_cookie(&self, other: &Self) -> bool {
        self.name == other.name
            && self.path == other.path
            && self.domain == other.domain
            && self.partitioned == other.partitioned
    }

    /// The only place that builds the cookie, to set it and (empty, `Max-Age=0`) to remove it: a browser removes a cookie
    /// only if name, path and domain match.
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

    /// Refuses what browsers would reject or ignore.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let Self {
            name,
            path,
            domain,
            secure,
            same_site,
            partitioned,
        } = self;
        // Browsers ignore the case of prefixes (RFC 6265bis §5.4).
        let has_prefix = |prefix: &str| {
            let start = name.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let checks = [
            (
                !name.is_empty() && name.bytes().all(is_token),
                "a cookie's name must be a token: choose one of ASCII letters, digits, `-` and `_`",
            ),
            (
                name.len() <= MAX_NAME,
                "a cookie's name must not be longer than 128 bytes: choose a shorter one",
            ),
            (
                path.starts_with('/') && path.bytes().all(is_path),
                "a cookie's path must begin with `/` and be of ASCII characters without spaces and `;`: choose such a path",
            ),
            (
                path.len() <= MAX_ATTRIBUTE,
                "a cookie's path must not be longer than 1024 bytes, or browsers ignore it: choose a shorter one",
            ),
            (
                domain.as_deref().is_none_or(is_domain),
                "a cookie's domain must be a host name like `example.com`, of at most 253 bytes: choose such a domain, or none",
            ),
            (
                !has_prefix("__Host-") || *secure && path == "/" && domain.is_none(),
                "a `__Host-` or `__Host-Http-` cookie must be secure, with path `/` and no domain: choose another name, or drop the option",
            ),
            (
                *secure || !has_prefix("__Secure-") && !has_prefix("__Http-"),
                "a `__Secure-` or `__Http-` cookie must be secure: choose another name for plain HTTP",
            ),
            (
                *secure || *same_site != SameSite::None,
                "`SameSite=None` needs a secure cookie: make it one, or choose another `same_site`",
            ),
            (
                *secure || !*partitioned,
                "`Partitioned` needs a secure cookie: make it one, or drop the option",
            ),
        ];
        match checks.into_iter().find(|(holds, _)| !holds) {
            Some((_, why)) => Err(ConfigError::new(why)),
            None => Ok(()),
        }
    }
}

impl Default for CookieOptions {
    fn default() -> Self {
        Self::new("__Host-sid")
    }
}

/// Keeps the whole cookie far below the 4096 bytes that browsers store.
const MAX_NAME: usize = 128;

/// Browsers ignore longer attributes (RFC 6265bis §5.6).
const MAX_ATTRIBUTE: usize = 1024;

/// `tchar` of RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// `av-octet` of RFC 6265bis §4.1.1, without the space: browsers trim it from the end and send none in a path.
fn is_path(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b';'
}

/// `subdomain` of RFC 1034 §3.5, where a label may also begin with a digit or a hyphen.
fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        let mut bytes = label.bytes();
        (1..=63).contains(&label.len())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    domain.len() <= 253 && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cookie::SignedValue;

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

    #[track_caller]
    fn all_are_refused(options: impl IntoIterator<Item = CookieOptions>, reason: &str) {
        for options in options {
            let why = options.validate().expect_err(&format!("{options:?}"));
            assert!(why.to_string().contains(reason), "{options:?}: {why}");
        }
    }

    #[track_caller]
    fn all_are_allowed(options: impl IntoIterator<Item = CookieOptions>) {
        for options in options {
            assert_eq!(options.validate(), Ok(()), "{options:?}");
        }
    }

    #[test]
    fn a_name_is_a_short_token() {
        let long = |length| CookieOptions::new("n".repeat(length));
        let tokens = [
            "s",
            "0",
            "!#$%&'*+-.^_`|~",
            "__host",
            "__Hostsid",
            "Secure-",
        ];
        all_are_allowed(tokens.map(CookieOptions::insecure));
        all_are_allowed([long(128)]);
        let others = [
            "",
            " ",
            "a b",
            "a;b",
            "a=b",
            "a,b",
            "a\"",
            "a\r\nSet-Cookie: b",
            "a\0",
            "a\x7f",
            "a/b",
            "쿠키",
            "__Host-쿠키",
        ];
        all_are_refused(others.map(CookieOptions::new), "name must be a token");
        all_are_refused([long(129), long(4096)], "name must not be longer");
    }

    #[test]
    fn a_path_is_absolute_and_short() {
        let path = |path: &'static str| CookieOptions::new("sid").path(path);
        let long = |length: usize| CookieOptions::new("sid").path("/".repeat(length));
        all_are_allowed(["/", "/app", "/a%20b/", "/~a,b=c"].map(path));
        all_are_allowed([long(1024)]);
        let others = [
            "",
            "app",
            " /",
            "/a b",
            "/ ",
            "/;Domain=evil",
            "/\r\n",
            "/\t",
            "/길",
        ];
        all_are_refused(others.map(path), "path must begin");
        all_are_refused([long(1025)], "path must not be longer");
    }

    #[test]
    fn a_domain_is_a_host_name() {
        let domain = |domain: String| CookieOptions::new("sid").domain(domain);
        let label = "d".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "d".repeat(61));
        assert_eq!(longest.len(), 253);
        all_are_allowed([longest.clone(), format!(".{longest}"), label.clone()].map(domain));
        let names = [
            "example.com",
            ".example.com",
            "EXAMPLE.com",
            "localhost",
            "a",
            "7.example",
            "a-b.example",
            "xn--bj0bj06e.example",
            "127.0.0.1",
        ];
        all_are_allowed(names.map(str::to_owned).map(domain));
        let others = [
            "",
            ".",
            "..",
            "...",
            "..example.com",
            "example..com",
            "example.com.",
            "a b",
            "a;b",
            "a;Path=/",
            "example.com:443",
            "https://example.com",
            "*.example.com",
            "예.example",
            "[::1]",
            "a\r\n",
        ];
        let reason = "domain must be a host name";
        all_are_refused(others.map(str::to_owned).map(domain), reason);
        let too_long = [
            format!("{longest}d"),
            format!("d{label}"),
            format!("d.{label}d.d"),
        ];
        all_are_refused(too_long.map(domain), reason);
    }

    #[test]
    fn a_leading_dot_of_a_domain_is_dropped() {
        let dotted = CookieOptions::new("sid").domain(".example.com");
        assert_eq!(dotted, CookieOptions::new("sid").domain("example.com"));
    }

    #[test]
    fn a_cookie_is_what_the_prefix_of_its_name_promises() {
        let spellings = |prefix: &str| {
            [
                prefix.to_owned(),
                prefix.to_lowercase(),
                prefix.to_uppercase(),
            ]
            .map(|prefix| [format!("{prefix}sid"), prefix])
            .concat()
        };
        for prefix in ["__Host-", "__Host-Http-"] {
            for name in spellings(prefix) {
                let cookie = CookieOptions::new(name);
                all_are_allowed([
                    cookie.clone(),
                    cookie.clone().same_site(SameSite::None).partitioned(true),
                ]);
                let contradictions = [
                    cookie.clone().secure(false),
                    cookie.clone().path("/app"),
                    cookie.clone().domain("example.com"),
                ];
                all_are_refused(contradictions, "`__Host-`");
            }
        }
        for prefix in ["__Secure-", "__Http-"] {
            for name in spellings(prefix) {
                let cookie = CookieOptions::new(name);
                all_are_allowed([cookie.clone().path("/app").domain("example.com")]);
                all_are_refused([cookie.secure(false)], "`__Secure-`");
            }
        }
    }

    #[test]
    fn what_other_sites_send_is_secure() {
        let insecure = || CookieOptions::insecure("sid");
        all_are_allowed([
            insecure().same_site(SameSite::Lax),
            insecure().same_site(SameSite::Strict),
            CookieOptions::new("sid").same_site(SameSite::None),
            CookieOptions::new("sid").partitioned(true),
        ]);
        all_are_refused([insecure().same_site(SameSite::None)], "`SameSite=None`");
        all_are_refused([insecure().partitioned(true)], "`Partitioned`");
    }

    #[test]
    fn the_longest_cookie_is_far_below_what_browsers_store() {
        let label = "d".repeat(63);
        let longest = CookieOptions::new("n".repeat(MAX_NAME))
            .path(format!("/{}", "p".repeat(MAX_ATTRIBUTE - 1)))
            .domain(format!("{label}.{label}.{label}.{}", &label[2..]))
            .same_site(SameSite::Strict)
            .partitioned(true);
        all_are_allowed([longest.clone()]);
        let value = "v".repeat(SignedValue::LEN);
        let line = longest
            .cookie(value.clone(), Some(Duration::MAX))
            .to_string();
        assert!(line.len() < 2048, "{}", line.len());
        let default = CookieOptions::default().cookie(value, None).to_string();
        assert!(default.len() < 200, "{}", default.len());
    }
}
