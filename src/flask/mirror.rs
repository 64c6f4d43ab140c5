use std::{collections::BTreeMap, time::SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    cookie::seconds,
    data::{FlaskData, Raw},
    lineage::Lineage,
};
use crate::session::{Transaction, WizSession};

/// The key under which a session keeps what its bridge has to remember: which keys Flask's cookie held when the two last
/// agreed, with a digest of each value, and which cookies were sent.
pub const MIRROR_KEY: &str = "_flask";

/// What a session and Flask's cookie last agreed on. It holds no values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mirror {
    /// A digest of each member's value, by the key's text. An empty one is that of a key which Flask had before.
    members: BTreeMap<Box<str>, Box<str>>,
    /// A digest of the user.
    user: Option<Box<str>>,
    /// That of the cookies that the session sends. Another user's are another.
    lineage: Option<Lineage>,
    /// The lineage before, and the second in which it was given up.
    former: Option<(Lineage, u64)>,
    /// A digest of the signature of each cookie of Flask's own that was taken over, the newest last.
    seen: Vec<Box<str>>,
    /// The second in which the two last came to agree on something else.
    at: u64,
}

/// Requests that were sent with a cookie of Flask's own may be that many of its writes late.
const MAX_SEEN: usize = 4;

/// For how long, in seconds, a response of before a login or a logout may arrive after it.
const MAX_DELAY: u64 = 60;

impl Mirror {
    pub(super) fn read(values: &impl Values) -> Option<Self> {
        serde_json::from_str(values.raw(MIRROR_KEY)?.get()).ok()
    }

    /// From now on the two agree on this. Keys that went are remembered if they are wanted.
    pub(super) fn agree(
        &mut self,
        flask: &FlaskData,
        user: Option<&str>,
        keep_known: bool,
        now: SystemTime,
    ) {
        let before = self.members.clone();
        match keep_known {
            true => self
                .members
                .values_mut()
                .for_each(|digest| *digest = Box::default()),
            false => self.members.clear(),
        }
        let members = flask.iter();
        self.members
            .extend(members.map(|(key, value)| (key.into(), digest(value))));
        if self.members != before {
            self.at = seconds(now);
        }
        if !self.has_user(user) {
            let former = self.lineage.take();
            self.succeed(former, now);
        }
        self.user = user.map(digest);
    }

    /// Cookies of another lineage are outdated from now on.
    pub(super) fn succeed(&mut self, former: Option<Lineage>, now: SystemTime) {
        if let Some(former) = former {
            self.former = Some((former, seconds(now)));
        }
    }

    pub(super) fn agrees_with(&self, flask: &FlaskData) -> bool {
        flask.iter().count() == self.keys().count()
            && flask
                .iter()
                .all(|(key, value)| !self.differs(key, Some(value)))
    }

    /// Whether Flask has changed this member since, or removed it.
    pub(super) fn differs(&self, key: &str, value: Option<&str>) -> bool {
        let before = self.members.get(key).filter(|digest| !digest.is_empty());
        before != value.map(digest).as_ref()
    }

    pub(super) fn has_user(&self, user: Option<&str>) -> bool {
        self.user == user.map(digest)
    }

    /// Whether Flask has the key, or had it.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.members.contains_key(key)
    }

    /// The keys that Flask has.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let present = self.members.iter().filter(|(_, digest)| !digest.is_empty());
        present.map(|(key, _)| &**key)
    }

    pub(super) fn lineage(&self) -> Option<Lineage> {
        self.lineage
    }

    pub(super) fn begin_lineage(&mut self) -> Lineage {
        *self.lineage.get_or_insert_with(Lineage::random)
    }

    pub(super) fn note_seen(&mut self, signature: &str) {
        self.seen.push(digest(signature));
        let surplus = self.seen.len().saturating_sub(MAX_SEEN);
        self.seen.drain(..surplus);
    }

    /// Whether a cookie of Flask's own is one that was taken over, and that cannot have been written again since: Flask
    /// may write the same text twice within one second.
    pub(super) fn has_seen(&self, signature: &str, signed_at: u64) -> bool {
        signed_at < self.at && self.seen.contains(&digest(signature))
    }

    /// Whether a cookie is one that this session has sent, or one of before its login that was overtaken.
    pub(super) fn has_sent(&self, lineage: Option<Lineage>, now: SystemTime) -> bool {
        let former = self.former.filter(|(_, at)| seconds(now) <= at + MAX_DELAY);
        let former = former.map(|(former, _)| former);
        lineage.is_some() && (lineage == self.lineage || lineage == former)
    }
}

/// 64 bits tell the values of one session apart.
fn digest(text: &str) -> Box<str> {
    let digest = Sha256::digest(text);
    BASE64.encode(&digest[..8]).into()
}

/// The values of a session, or of the newest record inside a transaction.
pub(super) trait Values {
    fn all_keys(&self) -> Vec<String>;

    fn raw(&self, key: &str) -> Option<Raw>;
}

impl Values for WizSession {
    fn all_keys(&self) -> Vec<String> {
        self.keys()
    }

    fn raw(&self, key: &str) -> Option<Raw> {
        self.get(key).ok().flatten()
    }
}

impl Values for Transaction<'_> {
    fn all_keys(&self) -> Vec<String> {
        self.keys()
    }

    fn raw(&self, key: &str) -> Option<Raw> {
        self.get(key).ok().flatten()
    }
}
