use std::time::Duration;

use http::HeaderValue;

use super::super::cookie::FlaskCookie;
use crate::cookie::{CookieFinder, CookieHeader, CookieOptions};

/// Flask's cookie.
pub(super) struct Cookies {
    pub(super) finder: CookieFinder,
    pub(super) options: CookieOptions,
    /// `SESSION_USE_SIGNER`.
    pub(super) signer: Option<FlaskCookie>,
    pub(super) max_age: Option<Duration>,
}

/// How many cookies of one name are looked at.
const MAX_COOKIES: usize = 8;

impl Cookies {
    /// The first that may be an id of Flask-Session's.
    pub(super) fn presented(&self, header: &CookieHeader) -> Option<String> {
        let mut values = header.values(&self.finder).take(MAX_COOKIES);
        values.find_map(|value| {
            let id = match &self.signer {
                Some(signer) => signer.unsign(value)?,
                None => value,
            };
            let id = str::from_utf8(id).ok()?;
            is_id(id).then(|| id.to_owned())
        })
    }

    pub(super) fn line(&self, id: String) -> Option<HeaderValue> {
        let value = match &self.signer {
            Some(signer) => signer.sign_bare(&id),
            None => id,
        };
        let line = self.options.cookie(value, self.max_age).to_string();
        HeaderValue::try_from(line).ok()
    }

    pub(super) fn removal(&self) -> Option<HeaderValue> {
        let line = self.options.cookie(String::new(), Some(Duration::ZERO));
        HeaderValue::try_from(line.to_string()).ok()
    }
}

/// `secrets.token_urlsafe`, of some length (`SESSION_ID_LENGTH`) from which nobody can guess one.
fn is_id(id: &str) -> bool {
    let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (16..=200).contains(&id.len()) && id.bytes().all(is_of_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_an_id_is_none() {
        let id = "wqJk3bJ5m0l7bmzQ9mR4pT2yV8xA1cD6eF0gH3iJ5kL";
        assert!(is_id(id) && is_id("aA0-_aA0-_aA0-_a"));
        for other in [
            "",
            "short",
            &id.repeat(5),
            "a b".repeat(9).as_str(),
            "é".repeat(20).as_str(),
        ] {
            assert!(!is_id(other), "{other}");
        }
        assert!(!is_id("wqJk3bJ5m0l7bmzQ:*mR4pT2yV8xA1cD"));
    }
}
