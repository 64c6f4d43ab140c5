//! The store that keeps sessions in Redis or Valkey: one server, or a cluster.

mod advice;
mod batch;
mod connect;
mod keys;
mod link;
mod scan;
mod script;
mod users;
mod value;
mod verbs;

use std::{fmt, sync::Arc};

use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};

use self::{
    keys::Keys,
    link::{Link, Server},
    script::Script,
};
use crate::error::Error;

/// Keeps sessions in Redis 6.2 or newer, or in Valkey: shared by many servers, and fast.
///
/// ```no_run
/// use wiz_session::{Key, RedisStore, WizSessionLayer};
///
/// # async fn f() -> Result<(), wiz_session::Error> {
/// let store = RedisStore::connect("redis://127.0.0.1/").await?;
/// let layer = WizSessionLayer::new(store, Key::generate());
/// # Ok(()) }
/// ```
///
/// Clones share one connection, over which all requests are sent without waiting for one another.
///
/// # What it takes
///
/// - Reading a session is one command, and so is each write, touch and regenerate: scripts that the server runs in one
///   step. A server that lost them, after `SCRIPT FLUSH` or a failover, is sent them again.
/// - Ending a user's session is two commands. Listing a user's is one, and one for each, and two more where one of them
///   has ended; ending them all three, and one for each.
/// - A cluster keeps a session and the index of its user on different nodes. There a new session of a user is one
///   command more, a regenerate one, and a regenerate of a user's session two.
/// - [`count`](crate::Sessions::count) looks at every session, at some 100,000 a second.
///
/// # What happens when
///
/// - **The server is away**: requests fail at once or within two seconds. The first after its return succeeds. A
///   command whose connection broke is sent again, once; one that was done already, and only the answer lost, is
///   recognised and not done twice, unless eight other writes of that session came in between.
/// - **The server crashes**: what was answered survives if it runs with `appendonly yes` and `appendfsync always`. A
///   failover to a replica may lose the last writes whatever the settings, and so bring a session back that had just
///   ended: replication does not wait.
/// - **The server evicts**: set `maxmemory-policy noeviction`. Then a full server refuses new sessions; with another
///   policy it ends live ones, and may forget a user's list.
/// - **Clocks differ**: nothing. The application's clock decides when a session has expired. Redis is told how long to
///   keep a key, not until when, and five minutes longer than that, so its clock may be wrong. Set forward by more than
///   five minutes, or after a failover to a node that is so far ahead, it ends sessions early.
///
/// # Keys
///
/// `wiz:s:<handle>` is a string, one for each session, in which everything before the user has its place and width:
///
/// ```text
/// 0000…fedcba9876543210 001700001800123 00000000000000000007 u 001700043200000 000000005 alice{"v":1,…}
/// ```
///
/// - the tokens of the last eight writes, by which one is recognised whose answer was lost;
/// - when it expires, in milliseconds since 1970, and its version;
/// - `u` for a user's, `a` for an anonymous one, `t` for an id that was left for a new one;
/// - until when the user's list has it, the length of the user in bytes, the user, and all else as JSON.
///
/// `wiz:u:<user>` is a sorted set, the handles of a user's sessions. Every key expires by itself. Another
/// [prefix](Self::with_prefix) lets applications share a server.
///
/// A damaged string is an [error](Error::is_store), never an empty session, and stays until
/// [`revoke`](crate::Sessions::revoke) or [`revoke_user`](crate::Sessions::revoke_user) ends it. So is a key of another
/// type, which nothing here removes.
#[derive(Clone)]
pub struct RedisStore {
    link: Arc<Link>,
    keys: Arc<Keys>,
}

impl RedisStore {
    fn build(server: Server) -> Self {
        Self {
            link: Arc::new(Link::new(server)),
            keys: Arc::new(Keys::new("wiz:")),
        }
    }

    /// Runs a script, and sends it along if the server does not know it.
    async fn run<'a>(
        &self,
        script: &Script,
        keys: impl Iterator<Item = &'a str> + Clone,
        arguments: &[&[u8]],
    ) -> Result<Value, Error> {
        match self
            .link
            .send(&script.by_name(keys.clone(), arguments))
            .await
        {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let answer = self.link.send(&script.in_full(keys, arguments)).await;
                answer.map_err(failed)
            }
            answer => answer.map_err(failed),
        }
    }

    async fn send(&self, command: &Cmd) -> Result<Value, Error> {
        self.link.send(command).await.map_err(failed)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

fn failed(error: RedisError) -> Error {
    let advice = advice::on(&error);
    // A server that does not know a command quotes its arguments.
    let text = error.to_string();
    match text.split_once(", with args") {
        Some((text, _)) => Error::store_advised(text.to_owned(), advice),
        None => Error::store_advised(error, advice),
    }
}

/// An answer that is none to what was asked.
fn unexpected() -> Error {
    Error::store_advised(
        "Redis gave an answer of another form than expected",
        "see that its address leads to Redis 6.2 or newer, or to Valkey, with nothing in between",
    )
}
