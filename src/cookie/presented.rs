use http::{HeaderMap, HeaderValue, header::COOKIE};

/// The `Cookie` headers of a request, unread: to keep them costs a reference count each.
#[derive(Debug, Clone, Default)]
pub(crate) enum Presented {
    #[default]
    None,
    One(HeaderValue),
    /// HTTP/2 clients may send a header for each cookie (RFC 9113 §8.2.3).
    Many(Box<[HeaderValue]>),
}

impl Presented {
    pub(crate) fn in_headers(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(COOKIE).iter();
        match (lines.next(), lines.next()) {
            (None, _) => Self::None,
            (Some(line), None) => Self::One(line.clone()),
            _ => Self::Many(headers.get_all(COOKIE).iter().cloned().collect()),
        }
    }

    /// All values under this name, in the order sent.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let lines = match self {
            Self::None => &[],
            Self::One(line) => std::slice::from_ref(line),
            Self::Many(lines) => lines,
        };
        lines
            .iter()
            .flat_map(move |line| values(line.as_bytes(), name.as_bytes()))
    }
}

/// Looks at bytes, pair by pair, and only at pairs of this name: what else is in the line cannot spoil it.
fn values<'a>(line: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    line.split(|byte| *byte == b';').filter_map(move |pair| {
        let rest = pair
            .trim_ascii_start()
            .strip_prefix(name)?
            .trim_ascii_start();
        let value = rest.strip_prefix(b"=")?.trim_ascii();
        let unquoted = value
            .strip_prefix(b"\"")
            .and_then(|value| value.strip_suffix(b"\""));
        Some(unquoted.unwrap_or(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&[u8]]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_bytes(line).unwrap());
        }
        let presented = Presented::in_headers(&headers);
        presented
            .values("sid")
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let table: [(&[&[u8]], &[&str]); 14] = [
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
        ];
        for (lines, expected) in table {
            assert_eq!(found(lines), expected, "{lines:?}");
        }
    }
}
