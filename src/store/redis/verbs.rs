use std::{collections::HashSet, iter::once, time::SystemTime};

use futures_util::future::try_join_all;
use redis::Value;

use super::{
    RedisStore, script, unexpected,
    users::End,
    value::{self, Token, Written},
};
use crate::{
    error::Error,
    id::Handle,
    record::{Record, Version},
    store::{Created, Replaced, SessionStore},
    time::Timestamp,
};

impl SessionStore for RedisStore {
    async fn create(&self, handle: Handle, record: &Record) -> Result<Created, Error> {
        let written = Written::by(Token::new(), record, record.version());
        let keys = Names::new(self, [handle], record.user());
        let arguments = [written.whole(), written.left()];
        let answer = self.run(&script::CREATE, keys.iter(), &arguments).await?;
        match word(&answer)? {
            b"taken" => Ok(Created::Exists),
            b"stored" => {
                if let Some(user) = keys.listed_elsewhere {
                    self.enlist(user, handle, record).await?;
                }
                Ok(Created::Created)
            }
            _ => Err(unexpected()),
        }
    }

    async fn load(&self, handle: Handle) -> Result<Option<Record>, Error> {
        let mut get = redis::cmd("GET");
        get.arg(self.keys.record(handle));
        match self.send(&get).await? {
            Value::BulkString(value) => value::record(&value).map(Some),
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
        let written = Written::by(Token::new(), record, expected.next());
        let keys = Names::new(self, [handle], record.user());
        let (unless, last) = (written.unless_for(expected), written.last_of_user());
        let arguments: [&[u8]; 5] = [
            written.since_token(),
            &unless,
            written.left(),
            last.as_bytes(),
            b"listed",
        ];
        let run = async |arguments| self.run(&script::REPLACE, keys.iter(), arguments).await;
        let mut answer = run(&arguments[..4]).await?;
        if let (b"unlisted", Some(user)) = (word(&answer)?, keys.listed_elsewhere) {
            self.enlist(user, handle, record).await?;
            answer = run(&arguments).await?;
        }
        replaced(&answer, expected.next())
    }

    async fn touch(&self, handle: Handle, expires_at: SystemTime) -> Result<bool, Error> {
        let expires_at = Timestamp::from(expires_at);
        let (end, left) = (value::instant(expires_at), value::left_until(expires_at));
        let key = self.keys.record(handle);
        let answer = self
            .run(
                &script::TOUCH,
                once(&*key),
                &[end.as_bytes(), left.as_bytes()],
            )
            .await?;
        Ok(word(&answer)? == b"stored")
    }

    /// One that has to be asked twice, because the connection broke, answers `false` if the first time was heard.
    async fn delete(&self, handle: Handle) -> Result<bool, Error> {
        let End::Ended(user) = self.end(handle, None).await? else {
            return Ok(false);
        };
        if let Some(user) = user {
            self.unlist(&user, &[handle]).await;
        }
        Ok(true)
    }

    async fn regenerate(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        if self.link.is_cluster() {
            return self
                .regenerate_in_steps(old, expected, tombstone, new, record)
                .await;
        }
        let token = Token::new();
        let written = Written::by(token, record, record.version());
        let stone = Written::by(token, tombstone, expected.next());
        let version = value::number(expected);
        let keys = Names::new(self, [old, new], record.user());
        let arguments = [
            written.whole(),
            written.left(),
            stone.since_token(),
            stone.left(),
            version.as_bytes(),
        ];
        let answer = self
            .run(&script::REGENERATE, keys.iter(), &arguments)
            .await?;
        replaced(&answer, record.version())
    }

    /// Keys expire by themselves, some minutes late. This is for who wants it at once: it looks at every session.
    async fn delete_expired(&self, now: SystemTime, limit: usize) -> Result<u64, Error> {
        self.sweep(now.into(), limit).await
    }

    async fn list(&self, user: &str) -> Result<Vec<(Handle, Record)>, Error> {
        let (mut sessions, mut ended) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        loop {
            let mut handles = self.listed(user).await?;
            handles.retain(|handle| seen.insert(*handle));
            let records = try_join_all(handles.iter().map(|&handle| self.load(handle))).await?;
            let ended_before = ended.len();
            for (handle, record) in handles.into_iter().zip(records) {
                match record {
                    Some(record) if record.user() == Some(user) => sessions.push((handle, record)),
                    // About to become the user's, or no longer: the index knows until when.
                    Some(record) if !record.is_tombstone() => {}
                    _ => ended.push(handle),
                }
            }
            // One of these may have moved to a new id since the index was read: that is in the index by now.
            if ended.len() == ended_before {
                break;
            }
        }
        self.unlist(user, &ended).await;
        Ok(sessions)
    }

    async fn delete_user(&self, user: &str, except: Option<Handle>) -> Result<u64, Error> {
        let mut seen: HashSet<_> = except.into_iter().collect();
        let mut count = 0;
        // A session that moves to a new id shows up under that one, at the next look if not at this.
        loop {
            let mut handles = self.listed(user).await?;
            handles.retain(|handle| seen.insert(*handle));
            if handles.is_empty() {
                return Ok(count);
            }
            let ends = handles.iter().map(|&handle| self.end(handle, Some(user)));
            let ends = try_join_all(ends).await?;
            let (mut ended, mut gone) = (0, Vec::new());
            for (handle, end) in handles.into_iter().zip(ends) {
                ended += u64::from(matches!(end, End::Ended(_)));
                if !matches!(end, End::NotTheirs) {
                    gone.push(handle);
                }
            }
            count += ended;
            self.unlist(user, &gone).await;
        }
    }

    async fn count(&self, now: SystemTime) -> Result<u64, Error> {
        self.count_live(now.into()).await
    }
}

impl RedisStore {
    /// As the trait's own: on nodes that know nothing of one another, the new session comes first.
    async fn regenerate_in_steps(
        &self,
        old: Handle,
        expected: Version,
        tombstone: &Record,
        new: Handle,
        record: &Record,
    ) -> Result<Replaced, Error> {
        if self.create(new, record).await? == Created::Exists {
            return Ok(Replaced::Conflict);
        }
        match self.replace(old, expected, tombstone).await? {
            Replaced::Stored(_) => Ok(Replaced::Stored(record.version())),
            lost => {
                self.delete(new).await?;
                Ok(lost)
            }
        }
    }
}

/// The keys of a script that writes records.
struct Names<'a, const N: usize> {
    records: [String; N],
    index: Option<String>,
    /// The user whose index is on another node than the record, so that no script can write both.
    listed_elsewhere: Option<&'a str>,
}

impl<'a, const N: usize> Names<'a, N> {
    fn new(store: &RedisStore, records: [Handle; N], user: Option<&'a str>) -> Self {
        let (here, elsewhere) = match user {
            user if store.link.is_cluster() => (None, user),
            user => (user, None),
        };
        Self {
            records: records.map(|handle| store.keys.record(handle)),
            index: here.map(|user| store.keys.index(user)),
            listed_elsewhere: elsewhere,
        }
    }

    fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        self.records.iter().chain(&self.index).map(String::as_str)
    }
}

fn replaced(answer: &Value, version: Version) -> Result<Replaced, Error> {
    match word(answer)? {
        b"stored" => Ok(Replaced::Stored(version)),
        b"conflict" => Ok(Replaced::Conflict),
        b"gone" => Ok(Replaced::Gone),
        _ => Err(unexpected()),
    }
}

fn word(answer: &Value) -> Result<&[u8], Error> {
    match answer {
        Value::BulkString(word) if word == b"damaged" => Err(value::damaged()),
        Value::BulkString(word) => Ok(word),
        _ => Err(unexpected()),
    }
}
