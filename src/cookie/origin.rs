use std::net::{Ipv4Addr, Ipv6Addr};

use http::{HeaderMap, header::ORIGIN};

/// Whether the browser says that its page came by plain HTTP, and not from this very machine, which browsers trust all the
/// same: then it drops a `Secure` cookie in silence (RFC 6265bis §5.7).
pub(crate) fn is_insecure(headers: &HeaderMap) -> bool {
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let host = origin.and_then(|origin| origin.strip_prefix("http://"));
    host.is_some_and(|host| !is_loopback(host))
}

/// Of `host:port`, as an origin has it.
fn is_loopback(host: &str) -> bool {
    if let Some(host) = host.strip_prefix('[') {
        let address = host.split(']').next().unwrap_or_default();
        return address
            .parse()
            .is_ok_and(|address: Ipv6Addr| address.is_loopback());
    }
    let name = host.split(':').next().unwrap_or_default();
    let address = name.parse().map(|address: Ipv4Addr| address.is_loopback());
    address.unwrap_or(name == "localhost" || name.ends_with(".localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_insecure_unless_it_is_this_machine() {
        for (origin, insecure) in [
            ("http://shop.example", true),
            ("http://192.168.0.7:3000", true),
            ("http://localhost.example", true),
            ("http://[2001:db8::1]:3000", true),
            ("https://shop.example", false),
            ("http://localhost:3000", false),
            ("http://shop.localhost", false),
            ("http://127.0.0.1:3000", false),
            ("http://127.8.8.8", false),
            ("http://[::1]:3000", false),
            ("null", false),
        ] {
            let headers = HeaderMap::from_iter([(ORIGIN, origin.parse().unwrap())]);
            assert_eq!(is_insecure(&headers), insecure, "{origin}");
        }
        assert!(!is_insecure(&HeaderMap::new()));
    }
}
