use std::borrow::Cow;

use sqlx::error::DatabaseError;

/// How to fix the cause of a database error, where that is known.
pub(super) fn on(error: &sqlx::Error) -> Option<&'static str> {
    match error {
        sqlx::Error::Configuration(_) => Some(ADDRESS),
        sqlx::Error::Tls(_) => Some(TLS),
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => Some(AWAY),
        sqlx::Error::PoolClosed => Some(CLOSED),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnIndexOutOfBounds { .. } => {
            Some(TABLE_DIFFERS)
        }
        sqlx::Error::Database(error) => on_answer(&**error),
        _ => None,
    }
}

const ADDRESS: &str = "write its address as `postgres://user@host/database`, `mysql://user@host/database` or `sqlite:file`";
const TLS: &str = "add `sqlx` to your dependencies with a TLS feature, and see that the server has a certificate to trust";
const AWAY: &str = "see that the database is up, at this address, and that it and the pool have connections to spare";
const CLOSED: &str = "keep the pool open for as long as the application serves";
pub(super) const TABLE_DIFFERS: &str =
    "compare the table with the store's `schema()`, and make it the same";

/// Advice by error code. PostgreSQL's codes have five characters, MySQL's four and SQLite's at most two.
const KNOWN: [(&[&str], &str); 12] = [
    (&["3159"], TLS),
    (&["42P01", "1146"], NO_TABLE),
    (&["42703", "1054"], TABLE_DIFFERS),
    (
        &["3D000", "1049"],
        "create the database, or name another one in its address",
    ),
    (
        &["28P01", "28000", "1045", "1698"],
        "check the user and the password in its address",
    ),
    (
        &["42501", "1044", "1142"],
        "grant the user SELECT, INSERT, UPDATE and DELETE on the table, and CREATE if it is to `migrate()`",
    ),
    (
        &["25006", "1290", "1792", "8"],
        "connect to a database, and as a user, that may write",
    ),
    (
        &["53100", "1021", "1114", "13"],
        "make room on the database's disk",
    ),
    (
        &["1040", "1203", "1226"],
        "let the server take more connections, or the pools open fewer",
    ),
    (
        &["14"],
        "see that the file's folder is there and may be written to",
    ),
    (
        &["11", "26"],
        "name another file: this one is no SQLite database, or a damaged one",
    ),
    (
        &["5", "6"],
        "keep other programs from holding the file for long: it is locked",
    ),
];

const NO_TABLE: &str =
    "create its table by `migrate()`, or let an administrator run the SQL of `schema()`";

/// SQLite's code for these is the general one for an erroneous statement, so the message decides.
const NO_SUCH_TABLE: &str = "no such table";
const NO_SUCH_COLUMN: [&str; 2] = ["no such column", "has no column named"];

/// PostgreSQL reports it with the same code as a wrong password.
const NO_ENCRYPTION: &str = "no encryption";

fn on_answer(error: &dyn DatabaseError) -> Option<&'static str> {
    let message = error.message();
    if message.starts_with(NO_SUCH_TABLE) {
        return Some(NO_TABLE);
    }
    if message.ends_with(NO_ENCRYPTION) {
        return Some(TLS);
    }
    if NO_SUCH_COLUMN.iter().any(|text| message.contains(text)) {
        return Some(TABLE_DIFFERS);
    }
    let code = code(error)?;
    let known = KNOWN.iter().find(|(codes, _)| codes.contains(&&*code));
    known.map(|(_, advice)| *advice)
}

/// The error's code. Of MySQL its own error number, which is more precise than the SQLSTATE.
pub(super) fn code(error: &dyn DatabaseError) -> Option<Cow<'_, str>> {
    #[cfg(feature = "mysql")]
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return Some(error.number().to_string().into());
    }
    let code = error.code()?;
    // SQLite's extended codes have the primary code in their low byte.
    match code.parse::<u32>() {
        Ok(number) if code.len() != 5 => Some((number & 0xff).to_string().into()),
        _ => Some(code),
    }
}
