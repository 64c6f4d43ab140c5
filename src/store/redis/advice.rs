use redis::{ErrorKind, RedisError, ServerErrorKind};

/// What to do about an error of Redis, where that is known.
pub(super) fn on(error: &RedisError) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::InvalidClientConfig => Some(address(error)),
        ErrorKind::AuthenticationFailed => Some(LOGIN),
        ErrorKind::Io => Some(AWAY),
        ErrorKind::ClusterConnectionNotFound => Some(NO_NODE),
        ErrorKind::Server(
            ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::CrossSlot,
        ) => Some("this is a node of a cluster: open the store by `RedisStore::connect_cluster`"),
        ErrorKind::Server(ServerErrorKind::ClusterDown) => {
            Some("see that every slot of the cluster has a node that is up")
        }
        ErrorKind::Server(ServerErrorKind::ReadOnly) => Some(READ_ONLY),
        ErrorKind::Server(ServerErrorKind::NoPerm) => Some(
            "let the user run scripts, and read and write the store's keys, by the server's ACL",
        ),
        _ => on_answer(error),
    }
}

pub(super) const AWAY: &str =
    "see that Redis is up, at this address, is not overloaded and takes more clients";
const LOGIN: &str = "check the user and the password in its address";
const NO_NODE: &str = "see that one of these nodes is up, lets you in, and belongs to a cluster";
const READ_ONLY: &str = "connect to the primary: this is a replica";

fn address(error: &RedisError) -> &'static str {
    if error.to_string().contains("TLS") {
        return "add `redis` to your dependencies with a TLS feature, such as `tokio-rustls-comp`";
    }
    "write its address as `redis://user:password@host:6379/0` or `redis+unix:///path/to/socket`"
}

/// By the word that an answer begins with. Before version 7 a script's answer has it somewhere in the text.
fn on_answer(error: &RedisError) -> Option<&'static str> {
    let (code, text) = (error.code()?, error.to_string());
    let says = |word: &str| code == word || text.contains(&format!("-{word} "));
    let known = KNOWN.iter().find(|(word, _)| says(word));
    match known {
        Some((_, advice)) => Some(advice),
        None if text.contains("max number of clients") => Some(AWAY),
        None if text.contains("cluster support disabled") => Some(NO_NODE),
        None => None,
    }
}

const KNOWN: [(&str, &str); 6] = [
    ("NOAUTH", LOGIN),
    ("WRONGPASS", LOGIN),
    ("READONLY", READ_ONLY),
    ("OOM", "raise its `maxmemory`, or end sessions: it is full"),
    ("MISCONF", "make room on its disk: it cannot save its data"),
    (
        "WRONGTYPE",
        "give the store other keys by `with_prefix`: something else has put its own under them",
    ),
];
