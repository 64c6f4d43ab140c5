use std::{slice, time::Duration};

use ::cookie::Cookie;
use http::{HeaderMap, HeaderValue};

use super::{
    CookieHeader, CookieOptions, SetCookie, bearer,
    codec::{Codec, Keys, SignedValue, Verified},
    header::{CookieFinder, Values},
    set_cookie::SetCookieTemplate,
};
use crate::id::SessionId;

/// The signed cookie that carries a session id: how it is read and verified, how it is set and removed. Everything that
/// depends only on the configuration is computed once, here.
pub(crate) struct SessionCookie {
    current: NamedCookie,
    /// It is read and removed under these names too, and never set.
    others: Box<[OtherCookie]>,
    /// Its values are also taken from, and given out for, the `Authorization` header.
    bearer: bool,
}

/// The cookie as it was before a deployment, or will be after the next one.
struct OtherCookie {
    cookie: NamedCookie,
    is_previous: bool,
    /// Its values are those under the current name.
    is_namesake: bool,
}

/// One name and its attributes.
struct NamedCookie {
    options: CookieOptions,
    codec: Codec,
    finder: CookieFinder,
    template: SetCookieTemplate,
}

impl NamedCookie {
    fn new(options: CookieOptions, keys: &Keys) -> Self {
        let name = options.cookie_name();
        Self {
            codec: Codec::new(name, keys),
            finder: CookieFinder::new(name),
            template: SetCookieTemplate::new(&options),
            options,
        }
    }
}

impl SessionCookie {
    /// How many values are checked per request. Browsers send several cookies of one name after a change of path or
    /// domain; more than a few come from an attacker.
    pub(super) const MAX_CHECKS: usize = 8;

    /// The options must have passed [`CookieOptions::validate`].
    pub(crate) fn new(options: CookieOptions, keys: &Keys) -> Self {
        Self {
            current: NamedCookie::new(options, keys),
            others: Box::default(),
            bearer: false,
        }
    }

    /// Also takes its values as bearer tokens.
    pub(crate) fn with_bearer(self, bearer: bool) -> Self {
        Self { bearer, ..self }
    }

    pub(crate) fn is_bearer(&self) -> bool {
        self.bearer
    }

    /// What a request presents: a token if it has one of ours, and its cookies otherwise.
    #[inline]
    pub(crate) fn credentials(&self, headers: &HeaderMap) -> CookieHeader {
        if self.bearer
            && let Some(token) = self.token_as_cookies(headers)
        {
            return token;
        }
        CookieHeader::in_headers(headers)
    }

    // Out of the way of those that have none.
    #[cold]
    fn token_as_cookies(&self, headers: &HeaderMap) -> Option<CookieHeader> {
        let token = bearer::token(headers)?;
        let others = self.others.iter().map(|other| &other.cookie);
        let cookies = [&self.current].into_iter().chain(others);
        let names = cookies.map(|cookie| cookie.options.cookie_name());
        Some(CookieHeader::of_token(bearer::as_cookies(token, names)))
    }

    /// The token of the session with this id.
    pub(crate) fn token(&self, id: SessionId) -> String {
        String::from(self.current.codec.sign(id))
    }

    /// Also reads and removes these. The options must have passed [`CookieOptions::validate`], and none may be one cookie
    /// with the current one.
    pub(crate) fn with_others(
        self,
        next: Option<CookieOptions>,
        previous: Vec<CookieOptions>,
        keys: &Keys,
    ) -> Self {
        let name = self.name();
        let other = |options: CookieOptions, is_previous| OtherCookie {
            is_namesake: options.cookie_name() == name,
            cookie: NamedCookie::new(options, keys),
            is_previous,
        };
        let next = next.map(|options| other(options, false));
        let previous = previous.into_iter().map(|options| other(options, true));
        Self {
            others: next.into_iter().chain(previous).collect(),
            ..self
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.options().cookie_name()
    }

    pub(crate) fn options(&self) -> &CookieOptions {
        &self.current.options
    }

    /// Verifies the values under this cookie's names one by one: first those under the current name, in the order sent.
    /// Lazy: what the caller does not ask for is neither searched for nor verified.
    ///
    /// A value of the wrong length is [`Forged`] without a signature check. After [`MAX_CHECKS`](Self::MAX_CHECKS)
    /// values of the right length, each checked against every key, the iterator ends and the rest of the header stays
    /// unread.
    pub(crate) fn presented<'a>(&'a self, header: &'a CookieHeader) -> Presented<'a> {
        Presented {
            header,
            values: header.values(&self.current.finder),
            codec: &self.current.codec,
            is_previous: false,
            others: self.others.iter(),
            checks_left: Self::MAX_CHECKS,
        }
    }

    /// Sets the cookie to this id, signed with the current key. Without a `max_age` it lasts until the browser closes.
    pub(crate) fn set(&self, id: SessionId, max_age: Option<Duration>) -> SetCookie {
        SetCookie::new(self.current.codec.sign(id), max_age)
    }

    pub(crate) fn removal(&self) -> SetCookie {
        SetCookie::REMOVAL
    }

    /// The value of a `Set-Cookie` header.
    pub(crate) fn line(&self, set_cookie: &SetCookie) -> HeaderValue {
        self.current.template.line(set_cookie)
    }

    /// As [`line`](Self::line), for a cookie jar.
    pub(crate) fn cookie(&self, set_cookie: SetCookie) -> Cookie<'static> {
        set_cookie.cookie(&self.current.options)
    }

    /// The lines that remove the other cookies which the client may have sent. They go with each response that sets or
    /// removes the current one, so that the client has one at most.
    pub(crate) fn other_removals(
        &self,
        header: &CookieHeader,
    ) -> impl Iterator<Item = HeaderValue> {
        let others = self.others.iter().map(|other| &other.cookie);
        others
            .filter(|cookie| header.values(&cookie.finder).next().is_some())
            .map(|cookie| cookie.template.line(&SetCookie::REMOVAL))
    }
}

/// A value under the cookie's name that no key has signed: forged, damaged, or signed with a key that was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forged;

/// See [`SessionCookie::presented`].
pub(crate) struct Presented<'a> {
    header: &'a CookieHeader,
    values: Values<'a>,
    codec: &'a Codec,
    /// A value under the name at hand has to be set again, under the current one.
    is_previous: bool,
    others: slice::Iter<'a, OtherCookie>,
    checks_left: usize,
}

impl<'a> Presented<'a> {
    #[inline]
    fn next_value(&mut self) -> Option<&'a [u8]> {
        loop {
            if let Some(value) = self.values.next() {
                return Some(value);
            }
            let OtherCookie {
                cookie,
                is_previous,
                ..
            } = self.others.find(|other| !other.is_namesake)?;
            self.values = self.header.values(&cookie.finder);
            self.codec = &cookie.codec;
            self.is_previous = *is_previous;
        }
    }
}

impl Iterator for Presented<'_> {
    type Item = Result<Verified, Forged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.checks_left == 0 {
            return None;
        }
        let value = self.next_value()?;
        let Ok(value) = <&[u8; SignedValue::LEN]>::try_from(value) else {
            return Some(Err(Forged));
        };
        self.checks_left -= 1;
        let Some(mut verified) = self.codec.verify(value) else {
            return Some(Err(Forged));
        };
        verified.outdated |= self.is_previous;
        Some(Ok(verified))
    }
}

#[cfg(test)]
mod tests {
    use ::cookie::{Key, SameSite};
    use http::{HeaderMap, header::COOKIE};

    use super::*;

    fn cookie(options: CookieOptions) -> SessionCookie {
        SessionCookie::new(options, &Key::from(&[7; 64]).into())
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
