//! `Authorization: Bearer VALUE` (RFC 6750), in place of the cookie.

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use super::codec::SignedValue;

/// The value that a client sent as its token, if it has the form of one of ours. A token of another kind, which is for
/// another layer, counts as none.
pub(super) fn token(headers: &HeaderMap) -> Option<&[u8]> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let (line, None) = (lines.next()?, lines.next()) else {
        return None;
    };
    let (scheme, value) = line.as_bytes().split_at_checked("Bearer ".len())?;
    let value = value.trim_ascii();
    let is_ours = scheme.eq_ignore_ascii_case(b"Bearer ")
        && value.len() == SignedValue::LEN
        && value.iter().all(is_of_value);
    is_ours.then_some(value)
}

fn is_of_value(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// A `Cookie` line in which each of these names has the value.
pub(super) fn as_cookies<'a>(value: &[u8], names: impl Iterator<Item = &'a str>) -> HeaderValue {
    let pairs: Vec<Vec<u8>> = names
        .map(|name| [name.as_bytes(), b"=", value].concat())
        .collect();
    let line = HeaderValue::try_from(pairs.join(b"; ".as_slice()));
    line.expect("names and values of cookies are header values")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_our_form_is_found_and_no_other() {
        let value = "a-_Z9".repeat(15);
        assert_eq!(value.len(), SignedValue::LEN);
        let table = [
            (format!("Bearer {value}"), true),
            (format!("bEARER   {value} "), true),
            (format!("Bearer{value}"), false),
            (format!("Basic  {value}"), false),
            (format!("Bearer {value}x"), false),
            (format!("Bearer {}", &value[1..]), false),
            (format!("Bearer {}.", &value[1..]), false),
            (format!("Bearer {value}, Bearer {value}"), false),
            (format!("Bearer \"{}\"", &value[2..]), false),
            ("Bearer".to_owned(), false),
            (String::new(), false),
        ];
        for (line, is_found) in table {
            let line = HeaderValue::from_str(&line).unwrap();
            let mut headers = HeaderMap::from_iter([(AUTHORIZATION, line.clone())]);
            let found = is_found.then_some(value.as_bytes());
            assert_eq!(token(&headers), found, "{line:?}");
            headers.append(AUTHORIZATION, line);
            assert_eq!(token(&headers), None, "two of them");
        }
    }
}
