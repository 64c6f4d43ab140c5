use std::time::Duration;

use ::cookie::Cookie;
use http::HeaderValue;

use super::{CookieOptions, SignedValue};

/// What a response is to do to the client's cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SetCookie {
    /// None: it is removed.
    pub(crate) value: Option<SignedValue>,
    pub(crate) max_age: Option<Duration>,
}

impl SetCookie {
    pub(crate) const REMOVAL: Self = Self {
        value: None,
        max_age: Some(Duration::ZERO),
    };

    pub(crate) fn cookie(self, options: &CookieOptions) -> Cookie<'static> {
        let value = self.value.map(String::from).unwrap_or_default();
        options.cookie(value, self.max_age)
    }

    pub(crate) fn line(&self, template: &SetCookieTemplate) -> HeaderValue {
        let SetCookieTemplate { start, attributes } = template;
        let [mac, id] = self.value.as_ref().map_or([&[][..]; 2], SignedValue::parts);
        let age = self.max_age.map_or_else(String::new, |age| {
            format!("; Max-Age={}", CookieOptions::seconds(age))
        });
        let line = [
            start.as_bytes(),
            mac,
            id,
            attributes.as_bytes(),
            age.as_bytes(),
        ]
        .concat();
        HeaderValue::try_from(line).expect("the cookie's parts were validated")
    }
}

/// The `Set-Cookie` line without the value and the age: the same for all responses, and so written once.
#[derive(Debug)]
pub(crate) struct SetCookieTemplate {
    start: Box<str>,
    attributes: Box<str>,
}

impl SetCookieTemplate {
    pub(crate) fn new(options: &CookieOptions) -> Self {
        // The options build one cookie; this is its line.
        let line = options.cookie(String::new(), None).to_string();
        let (start, attributes) = line.split_at(options.cookie_name().len() + "=".len());
        Self {
            start: start.into(),
            attributes: attributes.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use ::cookie::{Key, SameSite};

    use super::*;
    use crate::{cookie::Codec, id::SessionId};

    #[test]
    fn the_line_is_that_of_the_options_cookie() {
        let options = [
            CookieOptions::default(),
            CookieOptions::insecure("s"),
            CookieOptions::new("sid")
                .path("/app")
                .domain("example.com")
                .same_site(SameSite::None)
                .partitioned(true),
        ];
        for options in options {
            let template = SetCookieTemplate::new(&options);
            let value = Codec::new("sid", &Key::from(&[7; 64]), &[]).sign(SessionId::random());
            let max_ages = [None, Some(Duration::from_secs(60)), Some(Duration::MAX)];
            let issues = max_ages.map(|max_age| SetCookie {
                value: Some(value),
                max_age,
            });
            for set_cookie in [SetCookie::REMOVAL].into_iter().chain(issues) {
                let line = set_cookie.line(&template);
                assert_eq!(line, set_cookie.cookie(&options).to_string());
            }
        }
    }
}
