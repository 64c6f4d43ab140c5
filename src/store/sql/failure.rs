use sqlx::error::ErrorKind;

use super::advice;
use crate::error::Error;

/// A database's error as a failure of the store.
///
/// What an engine says of its own state is worth knowing: "no such table", "disk full". Where it refuses a value it
/// may quote it; there only the code is kept.
pub(super) fn of(error: sqlx::Error) -> Error {
    let code = error
        .as_database_error()
        .filter(|e| quotes(&**e))
        .map(|e| e.code());
    match code {
        Some(code) => Error::store_advised(
            format!(
                "the database refused a value (code {})",
                code.as_deref().unwrap_or("unknown")
            ),
            advice::TABLE_DIFFERS,
        ),
        None => {
            let advice = advice::on(&error);
            Error::store_advised(error, advice)
        }
    }
}

/// Whether the connection was dead, or the server took leave of it.
pub(super) fn is_of_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => {
            advice::code(&**error).is_some_and(|code| LEAVE.contains(&&*code))
        }
        _ => false,
    }
}

/// PostgreSQL's words for it and MySQL's: it shuts down, crashed, or ended the connection.
const LEAVE: [&str; 5] = ["57P01", "57P02", "1053", "1927", "4031"];

/// Class 22 of SQLSTATE is about values, and so is a constraint that somebody added; MySQL has a code of its own.
fn quotes(error: &dyn sqlx::error::DatabaseError) -> bool {
    let of_values = |code: &str| code.len() == 5 && code.starts_with("22");
    let constraint = matches!(
        error.kind(),
        ErrorKind::CheckViolation | ErrorKind::NotNullViolation
    );
    constraint
        || error.code().is_some_and(|code| of_values(&code))
        || error.message().starts_with("Incorrect string value")
}
