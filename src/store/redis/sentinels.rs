use redis::{
    ErrorKind, IntoConnectionInfo, RedisError, RedisResult, TlsMode,
    sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType},
};

use super::tcp::tcp_settings;

/// The address of a primary by its name: `redis+sentinel://user:password@host:26379,host:26379/name/0`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sentinels {
    /// By a URL each.
    sentinels: Vec<String>,
    /// The name of the primary at the sentinels.
    name: String,
    /// A URL with the login and the database for the primary; its host is of no meaning.
    primary: String,
    is_tls: bool,
}

impl Sentinels {
    /// `None` for an address of something else.
    pub(super) fn parse(url: &str) -> Option<RedisResult<Self>> {
        let (scheme, rest) = url.split_once("+sentinel://")?;
        let is_tls = match scheme {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            _ => return None,
        };
        let invalid = (
            ErrorKind::InvalidClientConfig,
            "the address of the sentinels is no valid URL",
        );
        Some(Self::parse_rest(scheme, rest, is_tls).ok_or(RedisError::from(invalid)))
    }

    fn parse_rest(scheme: &str, rest: &str, is_tls: bool) -> Option<Self> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (format!("{login}@"), rest),
            None => (String::new(), rest),
        };
        let (hosts, path) = rest.split_once('/')?;
        let (name, database) = path.split_once('/').unwrap_or((path, "0"));
        let own_login = match query.strip_prefix("sentinel=") {
            Some(own) => format!("{own}@"),
            None if query.is_empty() => String::new(),
            None => return None,
        };
        // Their port, unlike the one of servers.
        let with_port = |host: &str| match host.rsplit_once(':') {
            Some((_, port)) if !port.contains(']') => host.to_owned(),
            _ => format!("{host}:26379"),
        };
        let sentinel = |host: &str| match host.is_empty() {
            true => None,
            false => Some(format!("{scheme}://{own_login}{}", with_port(host))),
        };
        (!name.is_empty()).then_some(Self {
            sentinels: hosts.split(',').map(sentinel).collect::<Option<_>>()?,
            name: name.to_owned(),
            primary: format!("{scheme}://{login}primary/{database}"),
            is_tls,
        })
    }

    pub(super) fn client(self) -> RedisResult<SentinelClient> {
        let primary = self.primary.into_connection_info()?;
        let mut node = SentinelNodeConnectionInfo::default()
            .set_redis_connection_info(primary.redis_settings().clone())
            .set_tcp_settings(tcp_settings());
        if self.is_tls {
            node = node.set_tls_mode(TlsMode::Secure);
        }
        let kind = SentinelServerType::Master;
        SentinelClient::build(self.sentinels, self.name, Some(node), kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Sentinels {
        Sentinels::parse(url)
            .expect("of sentinels")
            .expect("a valid URL")
    }

    #[test]
    fn an_address_names_the_sentinels_and_the_primary() {
        let full = parse("redis+sentinel://app:p%40ss@a,b:26380,[::1]/mymaster/3?sentinel=:secret");
        assert_eq!(
            full,
            Sentinels {
                sentinels: ["a:26379", "b:26380", "[::1]:26379"]
                    .map(|host| format!("redis://:secret@{host}"))
                    .into(),
                name: "mymaster".to_owned(),
                primary: "redis://app:p%40ss@primary/3".to_owned(),
                is_tls: false,
            }
        );
        let short = parse("rediss+sentinel://a/m");
        assert_eq!(short.primary, "rediss://primary/0");
        assert!(short.is_tls && short.sentinels == ["rediss://a:26379"]);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in ["", "a", "a/", "/m", "a,,b/m", "a/m?name=x"] {
            let parsed = Sentinels::parse(&format!("redis+sentinel://{url}"));
            assert!(parsed.is_some_and(|parsed| parsed.is_err()), "{url}");
        }
        for url in ["redis://a/m", "http+sentinel://a/m", "redis+cluster://a"] {
            assert!(Sentinels::parse(url).is_none(), "{url}");
        }
    }
}
