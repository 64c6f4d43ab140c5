use std::time::Duration;

use ::cookie::Cookie;
use http::HeaderValue;

use super::CookieOptions;

/// What a response is to do to the client's cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetCookie {
    pub(crate) value: String,
    pub(crate) max_age: Option<Duration>,
}

impl SetCookie {
    pub(crate) fn removal() -> Self {
        Self {
            value: String::new(),
            max_age: Some(Duration::ZERO),
        }
    }

    pub(crate) fn cookie(self, options: &CookieOptions) -> Cookie<'static> {
        options.cookie(self.value, self.max_age)
    }

    pub(crate) fn line(&self, template: &Template) -> HeaderValue {
        let Template { start, attributes } = template;
        let age = self.max_age.map_or_else(String::new, |age| {
            format!("; Max-Age={}", CookieOptions::seconds(age))
        });
        HeaderValue::try_from([start, &*self.value, attributes, &age].concat())
            .expect("the cookie's parts were validated")
    }
}

/// The `Set-Cookie` line without the value and the age: the same for all responses, and so written once.
#[derive(Debug)]
pub(crate) struct Template {
    start: Box<str>,
    attributes: Box<str>,
}

impl Template {
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
    use ::cookie::SameSite;

    use super::*;

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
            let template = Template::new(&options);
            for set_cookie in [
                SetCookie::removal(),
                SetCookie {
                    value: "value".to_owned(),
                    max_age: None,
                },
                SetCookie {
                    value: "value".to_owned(),
                    max_age: Some(Duration::MAX),
                },
            ] {
                let line = set_cookie.line(&template);
                assert_eq!(line, set_cookie.cookie(&options).to_string());
            }
        }
    }
}
