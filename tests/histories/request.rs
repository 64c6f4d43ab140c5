//! What clients ask for, and what they are answered.

use serde_json::{Value, json};

/// An id of a session, numbered as the history met its cookie.
pub(crate) type Id = usize;

/// A guest of the example server, by number. Each history has users of its own, so that what ends all sessions of a user
/// ends none of another history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct User(pub(crate) u64);

/// What a request asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// The whole session.
    Read,
    /// A key is set when the handler is done, after so many milliseconds.
    Set(&'static str, u32, u32),
    /// A message for the next page is set likewise.
    Flash(u32),
    /// The message is taken, by a transaction.
    Take,
    /// A product comes into the cart, by a transaction.
    Add(i64),
    /// And out of it.
    Remove(i64),
    /// The cart's key is deleted.
    Clear,
    /// One preference is changed, by a transaction that answers all.
    Prefer(Preference),
    LogIn(User),
    LogOut,
    /// A new id, and all else stays.
    Regenerate,
    /// Ends another session of the same user.
    Revoke(Id),
    /// Ends all others.
    RevokeOthers,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Preference {
    Theme(u32),
    Language(u32),
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// It may have happened at any time since, or never: a 503, a connection that broke, an answer that did not come.
    Unknown,
    /// With the id in its `Set-Cookie`, if any.
    Answered(u16, Value, Option<Id>),
}

/// A request and its answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(crate) kind: Kind,
    /// The id in its cookie.
    pub(crate) id: Option<Id>,
    /// The server that it went to may answer from its near cache.
    pub(crate) is_cached: bool,
    pub(crate) outcome: Outcome,
}

impl Request {
    /// Whether the answer may be what was true some time before the request: a read that changed nothing. Whatever is
    /// stored is stored on the newest record.
    pub(crate) fn may_be_old(&self) -> bool {
        let Outcome::Answered(200, body, None) = &self.outcome else {
            return false;
        };
        let is_read = match self.kind {
            Kind::Read => true,
            Kind::Take => body.is_null(),
            _ => false,
        };
        self.is_cached && is_read
    }
}

impl Kind {
    pub(crate) fn is_transaction(&self) -> bool {
        matches!(self, Self::Add(_) | Self::Remove(_) | Self::Prefer(_))
    }

    pub(crate) fn is_read(&self) -> bool {
        matches!(self, Self::Read)
    }
}

impl User {
    pub(crate) fn email(self) -> String {
        format!("guest{}@example.com", self.0)
    }

    /// What a login writes.
    pub(crate) fn keys(self) -> [(String, Value); 3] {
        [
            ("user_id".to_owned(), json!(1_000_000 + self.0)),
            ("user_email".to_owned(), json!(self.email())),
            ("is_admin".to_owned(), json!(false)),
        ]
    }
}

pub(crate) fn flash(number: u32) -> Value {
    json!({ "message": number.to_string(), "type": "info" })
}
