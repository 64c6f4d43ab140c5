use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::data::{FlaskData, Raw};
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
    /// A digest of each cookie's signature, the newest last.
    sent: Vec<Box<str>>,
}

/// Responses that may overtake one another.
const MAX_SENT: usize = 8;

impl Mirror {
    pub(super) fn read(values: &impl Values) -> Option<Self> {
        serde_json::from_str(values.raw(MIRROR_KEY)?.get()).ok()
    }

    /// From now on the two agree on this. Keys that went are remembered if they are wanted.
    pub(super) fn agree(&mut self, flask: &FlaskData, user: Option<&str>, keep_known: bool) {
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
        self.user = user.map(digest);
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

    pub(super) fn note_sent(&mut self, signature: &str) {
        self.sent.push(digest(signature));
        let surplus = self.sent.len().saturating_sub(MAX_SENT);
        self.sent.drain(..surplus);
    }

    pub(super) fn has_sent(&self, signature: &str) -> bool {
        self.sent.contains(&digest(signature))
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
