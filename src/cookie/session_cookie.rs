use std::time::Duration;

use ::cookie::{Cookie, Key};
use http::HeaderValue;

use super::{
    CookieHeader, CookieOptions, SetCookie,
    codec::{Codec, SignedValue, Verified},
    header::{CookieFinder, Values},
    set_cookie::SetCookieTemplate,
};
use crate::id::SessionId;

/// One signed cookie that carries a session id: its name and attributes, how it is read and verified, how it is set
/// and removed. Everything that depends only on the configuration is computed once, here.
pub(crate) struct SessionCookie {
    options: CookieOptions,
    codec: Codec,
    finder: CookieFinder,
    template: SetCookieTemplate,
}

impl SessionCookie {
    /// How many values are checked per request. Browsers send several cookies of one name after a change of path or
    /// domain; more than a few come from an attacker.
    const MAX_CHECKS: usize = 8;

    /// The options must have passed [`CookieOptions::validate`].
    pub(crate) fn new(options: CookieOptions, key: &Key, previous: &[Key]) -> Self {
        let name = options.cookie_name();
        Self {
            codec: Codec::new(name, key, previous),
            finder: CookieFinder::new(name),
            template: SetCookieTemplate::new(&options),
            options,
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.options.cookie_name()
    }

    pub(crate) fn options(&self) -> &CookieOptions {
        &self.options
    }

    /// Verifies the values under this cookie's name one by one, in the order sent. Lazy: what the caller does not ask
    /// for is neither searched for nor verified.
    ///
    /// A value of the wrong length is [`Forged`] without a signature check. After [`MAX_CHECKS`](Self::MAX_CHECKS)
    /// values of the right length, each checked against every key, the iterator ends and the rest of the header stays
    /// unread.
    pub(crate) fn presented<'a>(&'a self, header: &'a CookieHeader) -> Presented<'a> {
        Presented {
            values: header.values(&self.finder),
            codec: &self.codec,
            checks_left: Self::MAX_CHECKS,
        }
    }

    /// Sets the cookie to this id, signed with the current key. Without a `max_age` it lasts until the browser closes.
    pub(crate) fn set(&self, id: SessionId, max_age: Option<Duration>) -> SetCookie {
        SetCookie::new(self.codec.sign(id), max_age)
    }

    pub(crate) fn removal(&self) -> SetCookie {
        SetCookie::REMOVAL
    }

    /// The value of a `Set-Cookie` header.
    pub(crate) fn line(&self, set_cookie: &SetCookie) -> HeaderValue {
        self.template.line(set_cookie)
    }

    /// As [`line`](Self::line), for a cookie jar.
    pub(crate) fn cookie(&self, set_cookie: SetCookie) -> Cookie<'static> {
        set_cookie.cookie(&self.options)
    }
}

/// A value under the cookie's name that no key has signed: forged, damaged, or signed with a key that was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forged;

/// See [`SessionCookie::presented`].
pub(crate) struct Presented<'a> {
    values: Values<'a>,
    codec: &'a Codec,
    checks_left: usize,
}

impl Iterator for Presented<'_> {
    type Item = Result<Verified, Forged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.checks_left == 0 {
            return None;
        }
        let value = self.values.next()?;
        let Ok(value) = <&[u8; SignedValue::LEN]>::try_from(value) else {
            return Some(Err(Forged));
        };
        self.checks_left -= 1;
        Some(self.codec.verify(value).ok_or(Forged))
    }
}

#[cfg(test)]
mod tests {
    use ::cookie::SameSite;
    use http::{HeaderMap, header::COOKIE};

    use super::*;

    fn cookie(options: CookieOptions) -> SessionCookie {
        SessionCookie::new(options, &Key::from(&[7; 64]), &[])
    }

    fn sid() -> SessionCookie {
        cookie(CookieOptions::new("sid"))
    }

    fn header(line: impl AsRef<[u8]>) -> CookieHeader {
        let line = HeaderValue::from_bytes(line.as_ref()).unwrap();
        CookieHeader::in_headers(&HeaderMap::from_iter([(COOKIE, line)]))
    }

    /// `sid=…`, signed.
    fn pair(cookie: &SessionCookie, id: SessionId) -> String {
        let pair = cookie.cookie(cookie.set(id, None));
        pair.stripped().to_string()
    }

    fn forged() -> String {
        format!("sid={}", "A".repeat(SignedValue::LEN))
    }

    #[test]
    fn what_is_set_is_verified_by_the_next_request() {
        let cookie = sid();
        let id = SessionId::random();
        let header = header(pair(&cookie, id));
        let presented: Vec<_> = cookie.presented(&header).collect();
        let [Ok(verified)] = presented[..] else {
            panic!("{presented:?}")
        };
        assert_eq!(
            (verified.id, verified.handle, verified.outdated),
            (id, id.handle(), false)
        );
    }

    #[test]
    fn every_value_under_the_name_is_reported() {
        let cookie = sid();
        let valid = pair(&cookie, SessionId::random());
        let table = [
            (String::new(), vec![]),
            ("other=1".to_owned(), vec![]),
            ("sid=".to_owned(), vec![false]),
            (
                format!("sid=short; {valid}; a=b; {}", forged()),
                vec![false, true, false],
            ),
        ];
        for (line, expected) in table {
            let header = header(&line);
            let valid: Vec<_> = cookie.presented(&header).map(|one| one.is_ok()).collect();
            assert_eq!(valid, expected, "{line}");
        }
    }

    #[test]
    fn eight_signatures_are_checked_and_the_rest_is_not_read() {
        let cookie = sid();
        let valid = pair(&cookie, SessionId::random());
        let line = |before: usize| {
            let mut pairs = vec![forged(); before];
            pairs.push(valid.clone());
            header(pairs.join("; "))
        };
        assert!(cookie.presented(&line(7)).any(|one| one.is_ok()));
        let crowded = line(8);
        let mut presented = cookie.presented(&crowded);
        assert_eq!(presented.by_ref().filter(Result::is_err).count(), 8);
        assert_eq!(presented.next(), None);
        assert!(
            presented.values.next().is_some(),
            "the ninth was not looked for"
        );
    }

    #[test]
    fn values_of_the_wrong_length_count_as_no_check() {
        let cookie = sid();
        let id = SessionId::random();
        let valid = pair(&cookie, id);
        let short = "sid=forged; ".repeat(100);
        let long = format!("sid={}; ", "A".repeat(SignedValue::LEN + 1)).repeat(100);
        let header = header(format!("{short}{long}{valid}"));
        let mut presented = cookie.presented(&header);
        let verified = presented.by_ref().find_map(Result::ok);
        assert_eq!(verified.map(|verified| verified.id), Some(id));
        assert_eq!(presented.checks_left, SessionCookie::MAX_CHECKS - 1);
    }

    #[test]
    fn random_headers_never_verify() {
        const PIECES: [&[u8]; 12] = [
            b"sid",
            b"=",
            b";",
            b"; ",
            b"\"",
            b" ",
            b"\t",
            b"\xff",
            b"a",
            b"sid=",
            b"-_09",
            &[b'A'; SignedValue::LEN],
        ];
        let cookie = sid();
        let mut rng = fastrand::Rng::with_seed(6265);
        let mut values = 0;
        for _ in 0..200_000 {
            let pieces: Vec<&[u8]> = (0..rng.usize(..16))
                .map(|_| PIECES[rng.usize(..PIECES.len())])
                .collect();
            let header = header(pieces.concat());
            for one in cookie.presented(&header) {
                values += 1;
                assert_eq!(one, Err(Forged), "{header:?}");
            }
        }
        assert!(values > 10_000, "only {values} were found");
    }

    #[test]
    fn the_line_is_that_of_the_cookie() {
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
            let cookie = cookie(options);
            let max_ages = [None, Some(Duration::from_secs(60)), Some(Duration::MAX)];
            let set = max_ages.map(|max_age| cookie.set(SessionId::random(), max_age));
            for set_cookie in [cookie.removal()].into_iter().chain(set) {
                assert_eq!(
                    cookie.line(&set_cookie),
                    cookie.cookie(set_cookie).to_string()
                );
            }
        }
    }
}
