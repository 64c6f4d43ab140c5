use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::topology::Topology;

/// What to do about an error of Redis, where that is known.
pub(super) fn on(error: &RedisError, topology: Topology) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::InvalidClientConfig => Some(address(error)),
        ErrorKind::AuthenticationFailed => Some(LOGIN),
        ErrorKind::Io if topology == Topology::Sentinel => Some(NO_PRIMARY),
        ErrorKind::Io => Some(AWAY),
        ErrorKind::ClusterConnectionNotFound => Some(NO_NODE),
        ErrorKind::MasterNameNotFoundBySentinel => Some(NO_PRIMARY),
        ErrorKind::Server(kind) => on_kind(kind, topology).or_else(|| on_answer(error, topology)),
        _ => on_answer(error, topology),
    }
}

pub(super) const AWAY: &str =
    "see that Redis is up, at this address, is not overloaded and takes more clients";
pub(super) const NO_EVAL: &str =
    "let the user run `eval`: the server does not have the store's scripts, and takes them by it";
const LOGIN: &str = "check the user and the password in its address";
const NO_NODE: &str = "see that one of these nodes is up, lets you in, and belongs to a cluster";
const NO_PRIMARY: &str = "see that most of the sentinels are up and watch a primary of this name, which is up too; \
    during a failover, try again in some seconds";
const A_NODE: &str = "this is a node of a cluster: open the store by `RedisStore::connect_cluster`";
const NO_SLOT: &str = "see that every slot of the cluster has a node that is up and within reach; during a failover, \
    or while slots move, try again in some seconds";
const READ_ONLY: &str = "connect to the primary: this is a replica";
const RIGHTS: &str =
    "give the user the rights that the documentation of `RedisStore` lists under \"Rights\"";
const LOADING: &str = "try again when it has loaded its data";

fn address(error: &RedisError) -> &'static str {
    if error.to_string().contains("TLS") {
        return "add `redis` to your dependencies with a TLS feature, such as `tokio-rustls-comp`";
    }
    "write its address as `redis://user:password@host:6379/0`, `redis+unix:///path/to/socket` or \
        `redis+sentinel://host:26379,host:26379/name`"
}

fn on_kind(kind: ServerErrorKind, topology: Topology) -> Option<&'static str> {
    use ServerErrorKind as Kind;
    match (kind, topology) {
        (Kind::Moved | Kind::Ask | Kind::TryAgain | Kind::ClusterDown, Topology::Cluster) => {
            Some(NO_SLOT)
        }
        (Kind::Moved | Kind::Ask | Kind::TryAgain | Kind::CrossSlot, _) => Some(A_NODE),
        (Kind::ClusterDown, _) => Some(NO_SLOT),
        (Kind::ReadOnly | Kind::MasterDown, Topology::Sentinel) => Some(NO_PRIMARY),
        (Kind::ReadOnly | Kind::MasterDown, _) => Some(READ_ONLY),
        (Kind::NoPerm, _) => Some(RIGHTS),
        (Kind::BusyLoading, _) => Some(LOADING),
        _ => None,
    }
}

fn on_answer(error: &RedisError, topology: Topology) -> Option<&'static str> {
    let known = KNOWN.iter().find(|(word, _)| says(error, word));
    let text = error.to_string();
    match known {
        Some(("READONLY", _)) => on_kind(ServerErrorKind::ReadOnly, topology),
        Some((_, advice)) => Some(advice),
        None if text.contains("can't run this command") || text.contains("ACL failure") => {
            Some(RIGHTS)
        }
        None if text.contains("max number of clients") => Some(AWAY),
        None if text.contains("cluster support disabled") => Some(NO_NODE),
        None => None,
    }
}

/// Whether an answer begins with a word. Before version 7 a script's answer has it somewhere in the text.
pub(super) fn says(error: &RedisError, word: &str) -> bool {
    error.code() == Some(word) || error.to_string().contains(&format!("-{word} "))
}

const KNOWN: [(&str, &str); 8] = [
    ("NOAUTH", LOGIN),
    ("WRONGPASS", LOGIN),
    ("NOPERM", RIGHTS),
    ("READONLY", READ_ONLY),
    (
        "NOREPLICAS",
        "bring its replicas back, or lower its `min-replicas-to-write`: it refuses writes without them",
    ),
    ("OOM", "raise its `maxmemory`, or end sessions: it is full"),
    ("MISCONF", "make room on its disk: it cannot save its data"),
    (
        "WRONGTYPE",
        "give the store other keys by `with_prefix`: something else has put its own under them",
    ),
];
