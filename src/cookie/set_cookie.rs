use std::time::Duration;

use ::cookie::Cookie;
use http::HeaderValue;

use super::{CookieOptions, SignedValue};

/// A change to the client's cookie that a response has to carry: a new value, or its removal.
///
/// Made by [`SessionCookie`](super::SessionCookie), which also writes it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SetCookie {
    /// `None` removes the cookie.
    value: Option<SignedValue>,
    max_age: Option<Duration>,
}

impl SetCookie {
    pub(super) const REMOVAL: Self = Self {
        value: None,
        max_age: Some(Duration::ZERO),
    };

    pub(super) fn new(value: SignedValue, max_age: Option<Duration>) -> Self {
        Self {
            value: Some(value),
            max_age,
        }
    }

    pub(crate) fn is_removal(&self) -> bool {
        self.value.is_none()
    }

    pub(super) fn cookie(self, options: &CookieOptions) -> Cookie<'static> {
        let value = self.value.map(String::from).unwrap_or_default();
        options.cookie(value, self.max_age)
    }
}

/// The parts of a `Set-Cookie` line that are the same in every response, formatted once.
#[derive(Debug)]
pub(super) struct SetCookieTemplate {
    /// `name=`
    start: Box<str>,
    /// All but `Max-Age`.
    attributes: Box<str>,
}

impl SetCookieTemplate {
    pub(super) fn new(options: &CookieOptions) -> Self {
        // Cut from a cookie that the options built, so that the line and the cookie cannot differ.
        let line = options.cookie(String::new(), None).to_string();
        let (start, attributes) = line.split_at(options.cookie_name().len() + "=".len());
        Self {
            start: start.into(),
            attributes: attributes.into(),
        }
    }

    pub(super) fn line(&self, set_cookie: &SetCookie) -> HeaderValue {
        let SetCookie { value, max_age } = set_cookie;
        let [mac, id] = value.as_ref().map_or([&[][..]; 2], SignedValue::parts);
        let age = max_age.map_or_else(String::new, |age| {
            format!("; Max-Age={}", CookieOptions::seconds(age))
        });
        let line = [
            self.start.as_bytes(),
            mac,
            id,
            self.attributes.as_bytes(),
            age.as_bytes(),
        ]
        .concat();
        HeaderValue::try_from(line).expect("the cookie's parts were validated")
    }
}
