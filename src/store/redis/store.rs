// Over 250 lines: the methods of the store contract, one script each.

use std::{collections::HashSet, fmt, iter::once, sync::Arc, time::SystemTime};

use futures_util::future::try_join_all;
use redis::{Cmd, RedisError, ServerErrorKind, Value};

use super::{
    advice,
    connection::{ConnectionManager, Request, Sent, Server},
    encoding::{self, EncodedRecord},
    feed,
    index::Entry,
    keys::Keys,
    lane::{Lane, LargeSessions},
    progress::PausedSweep,
    reply::{self, End, Reply, in_doubt, unexpected},
    script::{self, Script},
};
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    store::{Created, Cursor, Feed, Page, Replaced, SessionStore, Status, regenerate},
    time::Timestamp,
};

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
/// Clones share their connections, over which concurrent commands are pipelined: one, and from the first session of
/// 32 KiB or more a second for such sessions, so that they hold no small one up. Sweeping and counting use the second.
///
/// # Cost
///
/// - Reading a session is one command, and so is each write, touch and regenerate: Lua scripts, which the server runs
///   atomically. A server that lost them, after `SCRIPT FLUSH` or a failover, is sent them again.
/// - Ending a user's session is two commands. Listing a user's is one, and one for each, and two more where one of them
///   has ended; ending them all three, and one for each.
/// - A cluster keeps a session and the index of its user in different key slots. There a new session of a user is two
///   commands more, a regenerate one, and a regenerate of a user's session three.
/// - [`count`](crate::Sessions::count) looks at every session, at some 100,000 a second. A sweep looks at each twice at
///   most, however small its batches, five hundred to a command.
///
/// # Failures
///
/// - **The server is away**: requests fail at once or within two seconds. The first after its return succeeds.
/// - **The connection breaks**: the commands in flight are resent once, on a new connection, so that one which broke
///   while idle costs no request. None takes effect twice: writes compare the version, or only insert. If a resent write
///   finds that it cannot be done, the first attempt may be the reason, and the call fails: the layer then looks for its
///   own commit in the session. So does a resent `delete` that finds no session. A cluster's client resends commands
///   without telling; there the second attempt's result is the answer.
/// - **The server crashes**: what was answered survives if it runs with `appendonly yes` and `appendfsync always`. A
///   failover to a replica may lose the last writes whatever the settings, and so bring a session back that had just
///   ended: replication does not wait.
/// - **Another server takes its place, as planned**: no session is read from the former primary, which would answer `GET`
///   for some moments in a cluster, and as a replica elsewhere. `GETEX`, which the store reads with, waits there as writes
///   do, or is refused. One that was frozen or cut off meanwhile answers until it hears of it.
/// - **The server evicts**: set `maxmemory-policy noeviction`. Then a full server refuses new sessions; with another
///   policy it ends live ones, and may forget a user's list.
/// - **Clocks differ**: nothing. The application's clock decides when a session has expired. Redis is told how long to
///   keep a key, not until when, and five minutes longer than that, so its clock may be wrong. Set forward by more than
///   five minutes, or after a failover to a node that is so far ahead, it ends sessions early.
///
/// # Rights
///
/// A user of the server needs these and no other, with the store's prefix in place of `wiz:`:
///
/// ```text
/// ACL SETUSER app on >PASSWORD ~wiz:* +ping +getex +set +exists +getrange +setrange +unlink +pttl +pexpire +time
///   +zadd +zrange +zrem +zremrangebyscore +scan +eval +evalsha
/// ```
///
/// In a cluster `+cluster|slots +asking` too, with Sentinel `+role`, with a database other than 0 `+select`.
///
/// To be told at once what other processes do to watched sessions, `&wiz:* +publish +subscribe +unsubscribe`, in a cluster
/// `&wiz:* +spublish +ssubscribe +sunsubscribe`. Without these it is seen when they are looked at.
///
/// # Pushes
///
/// Each script that ends or changes a session says so on a channel with the name of its key: `logged_out`, `revoked`,
/// `moved`, or the version that was replaced. While a session is [watched](crate::WizSession::ended), the store subscribes to its
/// channel, on a connection of its own that is replaced within some seconds if it breaks or falls silent. In a cluster the
/// channels are sharded, which takes Redis 7 and a client that speaks RESP3.
///
/// # Keys
///
/// `wiz:s:<handle>` is a string, one for each session. It begins with fields of fixed width:
///
/// ```text
/// 001700001800123 00000000000000000007 u 001700043200000 000000005 alice{"v":1,…}
/// ```
///
/// - when it expires, in milliseconds since 1970, and its version;
/// - `u` for a user's, `a` for an anonymous session, `t` for an id whose session moved to a new one;
/// - until when the user's index lists it, the length of the user in bytes, the user, and all else as JSON.
///
/// `wiz:u:<user>` is a sorted set, the handles of a user's sessions. A cluster writes an entry before its session, and
/// marks it with a `+` until the session is there. Every key expires by itself. Another
/// [prefix](Self::with_prefix) lets applications share a server.
///
/// A damaged string is an [error](Error::is_store), never an empty session, and stays until
/// [`revoke`](crate::Sessions::revoke) or [`revoke_user`](crate::Sessions::revoke_user) ends it. So is a key of another
/// type, which nothing here removes.
#[derive(Clone)]
pub struct RedisStore {
    pub(super) connection: Arc<ConnectionManager>,
    pub(super) keys: Arc<Keys>,
    pub(super) large: Arc<LargeSessions>,
    pub(super) paused_sweep: Arc<PausedSweep>,
}

impl RedisStore {
    pub(super) fn build(server: Server) -> Self {
        Self {
            connection: Arc::new(ConnectionManager::new(server)),
            keys: Arc::new(Keys::new("wiz:")),
            large: Arc::new(LargeSessions::new()),
            paused_sweep: Arc::default(),
        }
    }

    /// Runs a script, and sends its source if the server does not have it.
    pub(super) async fn run<'a>(
        &self,
        script: &Script,
        keys: impl Iterator<Item = &'a str> + Clone,
        arguments: &[&[u8]],
    ) -> Result<Reply, Error> {
        let lane = Lane::of_bytes(arguments.iter().map(|argument| argument.len()).sum());
        let send = async |command: Cmd| {
            self.connection
                .send(Request::One(&command), None, lane)
                .await
        };
        let script = script.source(self.connection.is_cluster());
        let mut sent = send(script.by_hash(keys.clone(), arguments)).await;
        if sent.fails_by(ServerErrorKind::NoScript) {
            // The first attempt may have run on a server that has lost its scripts since.
            let is_resent = sent.is_resent;
            sent = send(script.with_source(keys, arguments)).await;
            sent.is_resent |= is_resent;
            if let Err(error) = &sent.result
                && is_refused(error, "eval")
            {
                return Err(reply::advised(error.clone(), Some(advice::NO_EVAL)));
            }
        }
        Ok(Reply {
            is_resent: sent.is_resent,
            value: self.value(sent)?,
        })
    }

    pub(super) async fn send(&self, command: &Cmd) -> Result<Value, Error> {
        self.send_by(Lane::Small, command).await
    }

    pub(super) async fn send_by(&self, lane: Lane, command: &Cmd) -> Result<Value, Error> {
        self.value(
            self.connection
                .send(Request::One(command), None, lane)
                .await,
        )
    }

    /// A record as the primary has it. Without options `GETEX` changes nothing, but counts as a write: a replica refuses it,
    /// and a primary holds it back while another server takes its place. Either would answer `GET`, from data that may be
    /// old.
    async fn newest(&self, handle: Handle) -> Result<Value, Error> {
        let (key, lane) = (self.keys.record(handle), self.large.lane(handle));
        let mut get = redis::cmd("GETEX");
        get.arg(&key);
        let sent = self.connection.send(Request::One(&get), None, lane).await;
        let refuses_writes = |error| {
            ["MISCONF", "NOREPLICAS"]
                .iter()
                .any(|word| advice::says(error, word))
        };
        if !sent.result.as_ref().is_err_and(refuses_writes) {
            return self.value(sent);
        }
        // A primary that cannot save its data, or has lost its replicas, can be read all the same.
        let mut get = redis::cmd("GETRANGE");
        get.arg(&key).arg(0).arg(-1);
        let value = self.send_by(lane, &get).await?;
        let is_nothing = matches!(&value, Value::BulkString(value) if value.is_empty());
        Ok(if is_nothing { Value::Nil } else { value })
    }

    pub(super) fn value(&self, sent: Sent) -> Result<Value, Error> {
        let topology = self.connection.topology();
        sent.result.map_err(|error| reply::failed(error, topology))
    }
}

/// Whether the server lets this user run no such command, or nobody.
fn is_refused(error: &RedisError, command: &str) -> bool {
    let text = error.to_string().to_lowercase();
    let refuses = text.contains("no permissions to run") || text.contains("unknown command");
    refuses && text.contains(&format!("'{command}'"))
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

impl SessionStore for RedisStore {
    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        let encoded = EncodedRecord::new(record, record.version());
        self.large.note(handle, encoded.as_bytes().len());
        let keys = ScriptKeys::new(self, [handle], record);
        let index_ttl = encoding::index_ttl(record);
        let arguments = [encoded.as_bytes(), encoded.ttl(), index_ttl.as_bytes()];
        if let Some(user) = keys.remote_index_user {
            self.index_add_pending(user, handle, record).await?;
        }
        let reply = self.run(&script::CREATE, keys.iter(), &arguments).await?;
        match reply.outcome()? {
            // It may be the client's own resend that says so: the entry stays.
            b"exists" => Ok(Created::Exists),
            b"stored" => {
                if let Some(user) = keys.remote_index_user {
                    self.index_settle(user, handle, record).await;
                }
                Ok(Created::Created)
            }
            _ => Err(unexpected()),
        }
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        match self.newest(handle).await? {
            Value::BulkString(value) => {
                self.large.note(handle, value.len());
                encoding::decode(&value).map(Some)
            }
            Value::Nil => Ok(None),
            _ => Err(unexpected()),
        }
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: Version,
        record: &Record,
    ) -> Result<Replaced, Error> {
        let encoded = EncodedRecord::new(record, expected.next());
        self.large.note(handle, encoded.as_bytes().len());
        let keys = ScriptKeys::new(self, [handle], record);
        let (index_ttl, version) = (encoding::index_ttl(record), encoding::number(expected));
        let last = encoded.last_of_user();
        let arguments = [
            encoded.as_bytes(),
            encoded.ttl(),
            index_ttl.as_bytes(),
            version.as_bytes(),
            last.as_bytes(),
            b"indexed",
        ];
        let run = async |arguments| self.run(&script::REPLACE, keys.iter(), arguments).await;
        let mut reply = run(&arguments[..5]).await?;
        if let (b"unindexed", Some(user)) = (reply.outcome()?, keys.remote_index_user) {
            self.index_add(user, handle, record).await?;
            reply = run(&arguments).await?;
        }
        replaced(&reply, expected.next())
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        let expires_at = Timestamp::from(expires_at);
        let (end, ttl) = (
            encoding::instant(expires_at),
            encoding::ttl_until(expires_at),
        );
        let key = self.keys.record(handle);
        let arguments = [end.as_bytes(), ttl.as_bytes()];
        let reply = self.run(&script::TOUCH, once(&*key), &arguments).await?;
        Ok(reply.word()? == b"stored")
    }

    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        match self.end(handle, None).await? {
            End::Ended(user) => {
                if let Some(user) = user {
                    self.index_remove(&user, &[handle]).await;
                }
                Ok(true)
            }
            End::Gone | End::Moved | End::NotTheirs => Ok(false),
            // `true` would remove the client's cookie, which may be another login's by now.
            End::GoneAfterResend => Err(in_doubt()),
        }
    }

    async fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        // Its nodes share no transaction.
        if self.connection.is_cluster() {
            return regenerate::in_steps(self, old, expected, tombstone, new, record).await;
        }
        let encoded = EncodedRecord::new(record, record.version());
        let stone = EncodedRecord::new(tombstone, expected.next());
        self.large.note(new, encoded.as_bytes().len());
        let (index_ttl, version) = (encoding::index_ttl(record), encoding::number(expected));
        let keys = ScriptKeys::new(self, [old, new], record);
        let arguments = [
            encoded.as_bytes(),
            encoded.ttl(),
            index_ttl.as_bytes(),
            stone.as_bytes(),
            stone.ttl(),
            version.as_bytes(),
        ];
        let reply = self
            .run(&script::REGENERATE, keys.iter(), &arguments)
            .await?;
        replaced(&reply, record.version())
    }

    /// Keys expire by themselves, some minutes late. This is for those who want it at once: it looks at every session.
    /// A call that reached its limit is gone on with by the next one, on this store or a clone.
    async fn delete_expired(&self, now: SystemTime, limit: usize) -> Result<u64, Error> {
        self.sweep(now.into(), limit).await
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        let (mut sessions, mut ended) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        loop {
            let mut entries = self.index_entries(user).await?;
            entries.retain(|entry| seen.insert(entry.handle));
            let loads = entries.iter().map(|entry| self.load(entry.handle));
            let records = try_join_all(loads).await?;
            let ended_before = ended.len();
            for (Entry { handle, is_pending }, record) in entries.into_iter().zip(records) {
                match record {
                    Some(record) if record.user() == Some(user) => sessions.push((handle, record)),
                    // About to become the user's, or theirs no more: the entry expires.
                    Some(record) if !record.is_tombstone() => {}
                    // It may be there at the next look.
                    None if is_pending => drop(seen.remove(&handle)),
                    _ => ended.push(handle),
                }
            }
            // One of these may have moved to a new id since the index was read, which is in the index by now.
            if ended.len() == ended_before {
                break;
            }
        }
        self.index_remove(user, &ended).await;
        Ok(sessions)
    }

    async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        let mut seen: HashSet<_> = except.into_iter().collect();
        let mut count = 0;
        // A session that moves to a new id meanwhile is found under that at the next look.
        loop {
            let mut entries = self.index_entries(user).await?;
            entries.retain(|entry| seen.insert(entry.handle));
            let ends = entries
                .iter()
                .map(|entry| self.end(entry.handle, Some(user)));
            let ends = try_join_all(ends).await?;
            let (mut is_last, mut gone) = (true, Vec::new());
            for (Entry { handle, is_pending }, end) in entries.into_iter().zip(ends) {
                if is_pending && matches!(end, End::Gone) {
                    seen.remove(&handle);
                    continue;
                }
                is_last = false;
                count += u64::from(matches!(end, End::Ended(_)));
                if !matches!(end, End::NotTheirs) {
                    gone.push(handle);
                }
            }
            self.index_remove(user, &gone).await;
            if is_last {
                return Ok(count);
            }
        }
    }

    async fn count(&self, now: SystemTime) -> Result<u64, Error> {
        self.count_live(now.into()).await
    }

    async fn look(&self, handles: &[Handle]) -> Result<Vec<Option<Status>>, Error> {
        self.look_at(handles).await
    }

    async fn push(&self, feed: Feed) {
        feed::listen(self.connection.server(), &self.keys, feed).await;
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, Error> {
        self.page(after, limit).await
    }
}

/// The keys of a script that writes records.
struct ScriptKeys<'a, const N: usize> {
    records: [String; N],
    index: Option<String>,
    /// The user whose index is in another key slot than the record, so that no script can write both.
    remote_index_user: Option<&'a str>,
}

impl<'a, const N: usize> ScriptKeys<'a, N> {
    fn new(store: &RedisStore, records: [Handle; N], record: &'a Record) -> Self {
        let user = record.user().filter(|_| !record.is_tombstone());
        let (local, remote) = match user {
            user if store.connection.is_cluster() => (None, user),
            user => (user, None),
        };
        Self {
            records: records.map(|handle| store.keys.record(handle)),
            index: local.map(|user| store.keys.index(user)),
            remote_index_user: remote,
        }
    }

    fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        self.records.iter().chain(&self.index).map(String::as_str)
    }
}

fn replaced(reply: &Reply, version: Version) -> Result<Replaced, Error> {
    match reply.outcome()? {
        b"stored" => Ok(Replaced::Stored(version)),
        b"conflict" => Ok(Replaced::Conflict),
        b"gone" => Ok(Replaced::Gone),
        _ => Err(unexpected()),
    }
}
