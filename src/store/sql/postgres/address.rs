use std::path::PathBuf;

use tokio_postgres::{Config, config::SslMode};

use super::failure::Refusal;

/// What an address asks for. Its `Debug` hides the password, as that of `Config` does.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) config: Config,
    /// Where the certificates of authorities are; `None` for the system's.
    #[cfg_attr(
        not(feature = "postgres-tls"),
        expect(dead_code, reason = "read where there is TLS")
    )]
    pub(super) authorities: Option<PathBuf>,
}

impl Address {
    /// Reads what `tokio-postgres` reads, and two of libpq's words for TLS that it does not know.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let (address, query) = match text.split_once('?') {
            Some((address, query)) if text.contains("://") => (address, query),
            _ => (text, ""),
        };
        let (mut rest, mut mode, mut authorities) = (Vec::new(), None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                // Stricter than libpq: `require` verifies too, and `verify-ca` also the host.
                Some(("sslmode", "verify-full" | "verify-ca")) => mode = Some(SslMode::Require),
                Some(("sslrootcert", "system")) => authorities = None,
                Some(("sslrootcert", file)) => authorities = Some(decoded(file)?),
                _ => rest.push(pair),
            }
        }
        let whole = match rest.is_empty() {
            true => address.to_owned(),
            false => format!("{address}?{}", rest.join("&")),
        };
        let mut config: Config = whole.parse().map_err(Refusal::from)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(Refusal::of_address("the address names no host"));
        }
        if let Some(mode) = mode {
            config.ssl_mode(mode);
        }
        Ok(Self {
            config,
            authorities,
        })
    }
}

/// A path in a URL.
fn decoded(text: &str) -> Result<PathBuf, Refusal> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let byte = piece
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(
            byte.ok_or_else(|| Refusal::of_address("the path in `sslrootcert` cannot be read"))?,
        );
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    let path = String::from_utf8(bytes);
    path.map(PathBuf::from)
        .map_err(|_| Refusal::of_address("the path in `sslrootcert` cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Address {
        Address::parse(text).expect("an address")
    }

    #[test]
    fn an_address_says_how_the_server_is_verified() {
        let plain = parsed("postgres://app@db/app?connect_timeout=1");
        assert_eq!(plain.config.get_ssl_mode(), SslMode::Prefer);
        let verified = parsed(
            "postgres://app@db/app?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem&connect_timeout=1",
        );
        assert_eq!(verified.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(verified.authorities, Some("/etc/ca.pem".into()));
        assert!(verified.config.get_connect_timeout().is_some());
        let system = parsed("postgres://app@db/app?sslmode=require&sslrootcert=system");
        assert_eq!(system.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(system.authorities, None);
    }

    #[test]
    fn an_address_may_name_several_hosts() {
        let several = parsed("postgres://app@a:1,b:2/app?target_session_attrs=read-write");
        assert_eq!(several.config.get_hosts().len(), 2);
        let words = parsed("host=a user=app");
        assert_eq!(words.config.get_hosts().len(), 1);
    }

    #[test]
    fn an_address_that_cannot_be_read_is_not_quoted() {
        for text in [
            "hunter2",
            "hunter2=1",
            "postgres://app:hunter2@[/app",
            "postgres://?sslrootcert=hunter2%",
        ] {
            let refused = Address::parse(text).expect_err("no address");
            assert!(!format!("{refused:?}").contains("hunter2"), "{refused:?}");
        }
    }
}
