use std::{error::Error as StdError, fmt};

use tokio_postgres::Error as DriverError;

use crate::{
    error::Error,
    store::sql::{
        advice,
        executor::{Failure, FailureKind},
    },
};

/// What PostgreSQL answered, or what went wrong on the way to it: the source of an [`Error`] of the `PostgresStore`.
///
/// Unlike the error of `tokio-postgres` it never shows a value: the server's details, which may quote a row, are left
/// out, and of an answer that refuses a value there is only the code.
///
/// ```
/// use wiz_session::store::PostgresError;
///
/// fn is_missing_table(error: &wiz_session::Error) -> bool {
///     let source = std::error::Error::source(error);
///     let postgres = source.and_then(|source| source.downcast_ref::<PostgresError>());
///     postgres.and_then(PostgresError::code) == Some("42P01")
/// }
/// ```
#[derive(Debug, Clone)]
pub struct PostgresError {
    code: Option<String>,
    message: String,
}

impl PostgresError {
    /// The [code](https://www.postgresql.org/docs/current/errcodes-appendix.html) of the server's answer, if it
    /// answered.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }
}

impl fmt::Display for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for PostgresError {}

/// A failure that can be handed to several callers.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) kind: FailureKind,
    error: PostgresError,
    advice: Option<&'static str>,
    /// Whether a server that starts, or is full, would say so: another attempt may get in.
    pub(super) may_pass: bool,
}

impl Refusal {
    pub(super) fn code(&self) -> Option<&str> {
        self.error.code()
    }

    /// Whether the server has refused the statement, and so has rolled it back.
    pub(super) fn is_answer(&self) -> bool {
        self.code().is_some() && self.kind != FailureKind::ConnectionLost
    }

    /// The server is silent.
    pub(super) fn timed_out() -> Self {
        Self::of_way(
            "timed out while connecting".to_owned(),
            Some(advice::AWAY),
            true,
        )
    }

    /// The connection has ended: what was sent may have taken effect or not.
    pub(super) fn lost(how: &str) -> Self {
        let kind = FailureKind::ConnectionLost;
        let refusal = Self::of_way(how.to_owned(), Some(advice::AWAY), true);
        Self { kind, ..refusal }
    }

    pub(super) fn of_address(what: &str) -> Self {
        Self::of_way(what.to_owned(), Some(advice::ADDRESS), false)
    }

    #[cfg(feature = "postgres-tls")]
    pub(super) fn of_certificates(what: String) -> Self {
        Self::of_way(what, Some(UNKNOWN_AUTHORITY), false)
    }

    fn of_way(message: String, advice: Option<&'static str>, may_pass: bool) -> Self {
        Self {
            kind: FailureKind::Other,
            error: PostgresError {
                code: None,
                message,
            },
            advice,
            may_pass,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self {
            kind: refusal.kind,
            error: Error::store_advised(refusal.error, refusal.advice),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Failure::from(refusal).error
    }
}

impl From<DriverError> for Refusal {
    fn from(error: DriverError) -> Self {
        match error.as_db_error() {
            Some(answer) => of_answer(answer.code().code(), answer.message()),
            None => of_way(&error),
        }
    }
}

/// What the server answered. Class 22 is about data, and of class 23 constraints, which an administrator may have added.
fn of_answer(code: &str, message: &str) -> Refusal {
    let kind = match code {
        UNIQUE_VIOLATION => FailureKind::DuplicateKey,
        DEADLOCK | SERIALIZATION_FAILURE => FailureKind::RolledBack,
        "42501" => FailureKind::Denied,
        _ if SHUTDOWN_CODES.contains(&code) => FailureKind::ConnectionLost,
        _ => FailureKind::Other,
    };
    let may_quote_value = code.starts_with("22") || code.starts_with("23");
    let (message, advice) = match may_quote_value {
        true => {
            let advice = match code {
                UNTRANSLATABLE => NOT_UTF8,
                _ => advice::TABLE_DIFFERS,
            };
            (
                format!("the database refused a value (code {code})"),
                Some(advice),
            )
        }
        false => (format!("{message} (code {code})"), advice_on(code, message)),
    };
    Refusal {
        kind,
        error: PostgresError {
            code: Some(code.to_owned()),
            message,
        },
        advice,
        may_pass: matches!(code, CANNOT_CONNECT_NOW | TOO_MANY_CONNECTIONS)
            || SHUTDOWN_CODES.contains(&code),
    }
}

fn advice_on(code: &str, message: &str) -> Option<&'static str> {
    match code {
        // With the same code as a wrong password.
        "28000" if message.ends_with("no encryption") => Some(NO_ENCRYPTION),
        LOCK_NOT_AVAILABLE => Some(LOCKED),
        CANNOT_CONNECT_NOW => Some(advice::AWAY),
        _ if SHUTDOWN_CODES.contains(&code) => Some(advice::AWAY),
        _ => advice::on(Some(code), message),
    }
}

/// What went wrong on the way to the server, or on this side of it.
fn of_way(error: &DriverError) -> Refusal {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    let what = error.to_string();
    let says = |text: &str| what.starts_with(text);
    let mut refusal = match () {
        // It may quote the address, in which there may be a password.
        () if says("invalid connection string")
            && !cause.starts_with("invalid value for option") =>
        {
            return Refusal::of_address("the address cannot be read");
        }
        () if says("invalid connection string") || says("invalid configuration") => {
            Refusal::of_way(what, Some(advice::ADDRESS), false)
        }
        () if says("error performing TLS handshake") => {
            Refusal::of_way(what, Some(advice_on_tls(&cause)), false)
        }
        () if says("authentication error") => Refusal::of_way(what, Some(advice::LOGIN), false),
        () if says("error deserializing") || says("query returned") => {
            Refusal::of_way(what, Some(advice::TABLE_DIFFERS), false)
        }
        () if says("error serializing") || says("error encoding") => {
            Refusal::of_way(what, None, false)
        }
        () => Refusal::lost(&what),
    };
    if !cause.is_empty() {
        refusal.error.message = format!("{}: {cause}", refusal.error.message);
    }
    refusal
}

fn advice_on_tls(cause: &str) -> &'static str {
    match cause {
        _ if cause.contains("no TLS implementation") => NO_TLS,
        _ if cause.contains("does not support TLS") => NOT_OFFERED,
        _ if cause.contains("NotValidForName") || cause.contains("not valid for name") => {
            OTHER_HOST
        }
        _ => UNKNOWN_AUTHORITY,
    }
}

const NO_ENCRYPTION: &str =
    "ask for TLS by `?sslmode=verify-full` in its address: the server takes no other connection";
const NO_TLS: &str = "enable the feature `postgres-tls`, or hand a TLS connector to `PostgresStore::from_config_with_tls`";
const NOT_OFFERED: &str =
    "let the server offer TLS by `ssl = on`, or leave `sslmode` out of its address";
const OTHER_HOST: &str = "connect by a host name that the server's certificate is for";
const UNKNOWN_AUTHORITY: &str =
    "name the authority that signed the server's certificate: `sslrootcert=FILE` in its address";
const LOCKED: &str =
    "end the transaction that keeps the session's row locked: `pg_stat_activity` shows it";
const NOT_UTF8: &str =
    "move the table to a database with the encoding UTF8: this one cannot hold every character";

pub(super) const CLOSED: &str = "connection closed";

/// The handle is in use.
const UNIQUE_VIOLATION: &str = "23505";
const UNTRANSLATABLE: &str = "22P05";
const DEADLOCK: &str = "40P01";
/// Under the isolation levels `REPEATABLE READ` and `SERIALIZABLE`.
const SERIALIZATION_FAILURE: &str = "40001";
const TOO_MANY_CONNECTIONS: &str = "53300";
pub(super) const LOCK_NOT_AVAILABLE: &str = "55P03";
const CANNOT_CONNECT_NOW: &str = "57P03";
pub(super) const READ_ONLY: &str = "25006";

/// A server that shuts down, has crashed, or whose administrator ends connections; and PgBouncer's, which says so with
/// the code of a connection failure.
const SHUTDOWN_CODES: [&str; 5] = ["57P01", "57P02", "57P05", "08006", "08003"];
