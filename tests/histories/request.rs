//! What clients ask for, and what they are answered.

use serde_json::{Value, json};

/// An id of a session, numbered as the history met its cookie.
pub(crate) type Id = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum User {
    Alice,
    Bob,
}

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
    /// Ends another session of the same user.
    Revoke(Id),
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
    pub(crate) outcome: Outcome,
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
    pub(crate) fn credentials(self) -> (&'static str, &'static str) {
        match self {
            Self::Alice => ("alice@example.com", "wonderland"),
            Self::Bob => ("bob@example.com", "builder"),
        }
    }

    /// What a login writes.
    pub(crate) fn keys(self) -> [(String, Value); 3] {
        let (id, is_admin) = match self {
            Self::Alice => (123, true),
            Self::Bob => (456, false),
        };
        [
            ("user_id".to_owned(), json!(id)),
            ("user_email".to_owned(), json!(self.credentials().0)),
            ("is_admin".to_owned(), json!(is_admin)),
        ]
    }
}

pub(crate) fn flash(number: u32) -> Value {
    json!({ "message": number.to_string(), "type": "info" })
}
