use redis::{RedisError, Value};

use super::{advice, encoding, topology::Topology};
use crate::error::Error;

/// The reply to a command.
pub(super) struct Reply {
    pub(super) value: Value,
    /// The command was sent twice, and the server may have run it twice.
    pub(super) is_resent: bool,
}

impl Reply {
    /// The word that a script returned.
    pub(super) fn word(&self) -> Result<&[u8], Error> {
        match &self.value {
            Value::BulkString(word) if word == b"damaged" => Err(encoding::damaged()),
            Value::BulkString(word) => Ok(word),
            _ => Err(unexpected()),
        }
    }

    /// The word of a script that returns `stored`, or why nothing was written. After a resend that reason may be the
    /// effect of the first attempt, so only `stored` is believed.
    pub(super) fn outcome(&self) -> Result<&[u8], Error> {
        match self.word()? {
            b"stored" => Ok(b"stored"),
            _ if self.is_resent => Err(in_doubt()),
            word => Ok(word),
        }
    }

    /// What the script that ends a session returned.
    pub(super) fn ended(&self) -> Result<End, Error> {
        if let Value::Array(ended) = &self.value {
            return match &ended[..] {
                // A user that is no text was not written by this store, and is in no index of its own.
                [Value::BulkString(kind), Value::BulkString(user)] if kind == b"u" => {
                    Ok(End::Ended(String::from_utf8(user.clone()).ok()))
                }
                _ => Ok(End::Ended(None)),
            };
        }
        match self.word()? {
            b"gone" if self.is_resent => Ok(End::GoneAfterResend),
            b"gone" => Ok(End::Gone),
            b"moved" => Ok(End::Moved),
            b"other" => Ok(End::NotTheirs),
            _ => Err(unexpected()),
        }
    }
}

/// What became of a session that was to end.
pub(super) enum End {
    /// This call ended it. It was this user's, or anonymous.
    Ended(Option<String>),
    /// There is no such session.
    Gone,
    /// It moved to a new id.
    Moved,
    /// There is none any more; a first attempt, whose reply was lost, may have ended it.
    GoneAfterResend,
    /// It is not the user's.
    NotTheirs,
}

pub(super) fn failed(error: RedisError, topology: Topology) -> Error {
    let advice = advice::on(&error, topology);
    advised(error, advice)
}

/// An error that names no value.
pub(super) fn advised(error: RedisError, advice: Option<&'static str>) -> Error {
    // A server that does not know a command quotes its arguments.
    let text = error.to_string();
    match text.split_once(", with args") {
        Some((text, _)) => Error::store_advised(text.to_owned(), advice),
        None => Error::store_advised(error, advice),
    }
}

/// A reply that does not fit the command.
pub(super) fn unexpected() -> Error {
    Error::store_advised(
        "Redis gave an answer of another form than expected",
        "see that its address leads to Redis 6.2 or newer, or to Valkey, with nothing in between",
    )
}

/// A write that was resent, and that changed nothing the second time.
pub(super) fn in_doubt() -> Error {
    Error::store_advised(
        "the connection to Redis broke during a write, which may have taken effect",
        advice::AWAY,
    )
}
