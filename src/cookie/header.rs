use http::{HeaderMap, HeaderValue, header::COOKIE};
use memchr::{memchr, memmem};

/// A cookie's name, prepared for substring search.
#[derive(Debug)]
pub(crate) struct CookieFinder(memmem::Finder<'static>);

impl CookieFinder {
    pub(crate) fn new(name: &str) -> Self {
        Self(memmem::Finder::new(name).into_owned())
    }
}

/// The `Cookie` header of a request, unparsed. Keeping it costs a reference count.
#[derive(Debug, Clone)]
pub(crate) struct CookieHeader {
    line: Option<HeaderValue>,
    is_bearer: bool,
}

impl CookieHeader {
    #[inline]
    pub(crate) fn in_headers(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(COOKIE).iter();
        let first = lines.next();
        let line = match lines.next() {
            None => first.cloned(),
            Some(_) => joined(headers),
        };
        Self {
            line,
            is_bearer: false,
        }
    }

    /// The cookies that stand for a bearer token.
    pub(super) fn of_token(line: HeaderValue) -> Self {
        Self {
            line: Some(line),
            is_bearer: true,
        }
    }

    /// Whether the client came with a token. Then it is neither sent a cookie nor told to remove one.
    pub(crate) fn is_bearer(&self) -> bool {
        self.is_bearer
    }

    /// All values under this name, in the order sent, without surrounding quotes and whitespace.
    pub(crate) fn values<'a>(&'a self, name: &'a CookieFinder) -> Values<'a> {
        let line = self.line.as_ref().map_or(&[][..], HeaderValue::as_bytes);
        Values { line, name, at: 0 }
    }
}

/// Searches the raw bytes for the name and parses only around its occurrences: other cookies cost next to nothing, and
/// malformed ones do no harm.
pub(crate) struct Values<'a> {
    line: &'a [u8],
    name: &'a CookieFinder,
    at: usize,
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let CookieFinder(name) = self.name;
        loop {
            let start = self.at + name.find(&self.line[self.at..])?;
            self.at = start + name.needle().len();
            let before = self.line[..start].trim_ascii_end();
            let after = self.line[self.at..].trim_ascii_start();
            let begins_pair = before.is_empty() || before.ends_with(b";");
            if let Some(rest) = after.strip_prefix(b"=")
                && begins_pair
            {
                let end = memchr(b';', rest).unwrap_or(rest.len());
                self.at = self.line.len() - rest.len() + end;
                return Some(unquoted(rest[..end].trim_ascii()));
            }
        }
    }
}

fn unquoted(value: &[u8]) -> &[u8] {
    let inner = value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""));
    inner.unwrap_or(value)
}

/// HTTP/2 clients may split the cookies over several headers; concatenated they are one (RFC 9113 §8.2.3).
fn joined(headers: &HeaderMap) -> Option<HeaderValue> {
    let lines: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let line = HeaderValue::try_from(lines.join(b"; ".as_slice()));
    Some(line.expect("parts of valid headers make a valid header"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&[u8]]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_bytes(line).unwrap());
        }
        let presented = CookieHeader::in_headers(&headers);
        presented
            .values(&CookieFinder::new("sid"))
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let table: [(&[&[u8]], &[&str]); 17] = [
            (&[], &[]),
            (&[b"sid=1"], &["1"]),
            (&[b"a=1; sid=2; b=3"], &["2"]),
            (&[b"sid=1; sid=2"], &["1", "2"]),
            (&[b"a=1", b"sid=2", b"sid=3"], &["2", "3"]),
            (&[b"sid=\"1\""], &["1"]),
            (&[b"sid=\"1"], &["\"1"]),
            (&[b" sid = 1 ;;"], &["1"]),
            (&[b"a=\xff\xfe; sid=1"], &["1"]),
            (&[b"$Version=1; sid=1; $Path=/"], &["1"]),
            (&[b"Sid=1; xsid=2; sidx=3; sid-=4; si=5; s id=6"], &[]),
            (&[b"sid; sid2=sid=3"], &[]),
            (&[b"sid=a=b"], &["a=b"]),
            (&[b"sid="], &[""]),
            (&[b"a=sid=1;\tsid=2;sid=3"], &["2", "3"]),
            (&[b"sid=sid=1; sidsid=2; =sid=3; sid"], &["sid=1"]),
            (&[b"sid =1;sid\xff=2; \xffsid=3"], &["1"]),
        ];
        for (lines, expected) in table {
            assert_eq!(found(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn random_lines_are_read_as_by_a_plain_parser() {
        const PIECES: [&[u8]; 10] = [
            b"sid", b"sid=", b"s", b"=", b";", b" ", b"\t", b"\"", b"\xff", b"a",
        ];
        let name = CookieFinder::new("sid");
        let mut rng = fastrand::Rng::with_seed(6265);
        let mut found = 0;
        for _ in 0..300_000 {
            let pieces = rng.usize(..16);
            let line = (0..pieces)
                .map(|_| PIECES[rng.usize(..PIECES.len())])
                .collect::<Vec<_>>()
                .concat();
            let header = CookieHeader {
                line: Some(HeaderValue::from_bytes(&line).unwrap()),
                is_bearer: false,
            };
            let values: Vec<&[u8]> = header.values(&name).collect();
            found += values.len();
            let pairs = line.split(|byte| *byte == b';');
            let expected = pairs.filter_map(|pair| {
                let (name, value) = pair.split_at(memchr(b'=', pair)?);
                (name.trim_ascii() == b"sid").then(|| unquoted(value[1..].trim_ascii()))
            });
            assert_eq!(values, expected.collect::<Vec<_>>(), "{header:?}");
        }
        assert!(found > 10_000, "only {found} were found");
    }
}
