use std::str::FromStr;

use crate::failure::Failure;

/// Which store a URL means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Sqlite(String),
    Postgres(String),
    MySql(String),
    Redis(String),
    /// The nodes, each by a URL of its own.
    RedisCluster(Vec<String>),
}

impl FromStr for Address {
    type Err = Failure;

    fn from_str(url: &str) -> Result<Self, Failure> {
        let scheme = url.split_once(':').map(|(scheme, _)| scheme);
        let url = url.to_owned();
        match scheme {
            Some("sqlite") => Ok(Self::Sqlite(url)),
            Some("postgres" | "postgresql") => Ok(Self::Postgres(url)),
            Some("mysql" | "mariadb") => Ok(Self::MySql(url)),
            Some(
                "redis" | "rediss" | "redis+unix" | "redis+sentinel" | "rediss+sentinel" | "valkey"
                | "valkeys" | "valkey+unix" | "valkey+sentinel" | "valkeys+sentinel" | "unix",
            ) => Ok(Self::Redis(url)),
            Some("redis+cluster" | "rediss+cluster" | "valkey+cluster" | "valkeys+cluster") => {
                nodes(&url).map(Self::RedisCluster).ok_or_else(unknown)
            }
            _ => Err(unknown()),
        }
    }
}

/// What precedes the first node, a user and a password, goes for all.
fn nodes(url: &str) -> Option<Vec<String>> {
    let (scheme, rest) = url.split_once("+cluster://")?;
    let (login, hosts) = match rest.rsplit_once('@') {
        Some((login, hosts)) => (format!("{login}@"), hosts),
        None => (String::new(), rest),
    };
    let hosts = hosts.trim_end_matches('/').split(',');
    Some(
        hosts
            .map(|host| format!("{scheme}://{login}{host}"))
            .collect(),
    )
}

/// It quotes nothing: what is no URL may be a password.
fn unknown() -> Failure {
    Failure::of_usage(
        "the URL of the store is none that is known",
        "it begins with sqlite:, postgres://, mysql://, redis://, redis+sentinel:// or redis+cluster://; see `wiz-session --help`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_names_a_store() {
        let read = |url: &str| url.parse::<Address>().unwrap();
        let (sqlite, mysql) = ("sqlite:sessions.db", "mysql://u:p@h/d");
        assert_eq!(read(sqlite), Address::Sqlite(sqlite.to_owned()));
        assert_eq!(read(mysql), Address::MySql(mysql.to_owned()));
        for url in ["postgres://h/d", "postgresql://h/d"] {
            assert_eq!(read(url), Address::Postgres(url.to_owned()));
        }
        for url in [
            "redis://h",
            "rediss://h",
            "valkey://h",
            "redis+unix:///run/r",
            "redis+sentinel://a,b/m",
        ] {
            assert_eq!(read(url), Address::Redis(url.to_owned()));
        }
    }

    #[test]
    fn the_login_of_a_cluster_goes_for_all_nodes() {
        let read = |url: &str| match url.parse() {
            Ok(Address::RedisCluster(nodes)) => nodes,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            read("redis+cluster://a:1,b:2/"),
            ["redis://a:1", "redis://b:2"]
        );
        assert_eq!(
            read("rediss+cluster://u:p,@w@a:1,b:2"),
            ["rediss://u:p,@w@a:1", "rediss://u:p,@w@b:2"]
        );
    }

    #[test]
    fn what_is_unknown_is_not_quoted() {
        for url in [
            "",
            "hunter2",
            "hunter2:x",
            "mongodb://u:hunter2@h",
            "redis+cluster:hunter2",
        ] {
            let failure = url.parse::<Address>().unwrap_err();
            assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        }
    }
}
