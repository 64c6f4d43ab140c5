/// What is shared by the engines, whichever library reaches them.
pub(super) const ADDRESS: &str = "write its address as `postgres://user@host/database`, `mysql://user@host/database` or `sqlite:file`";
pub(super) const AWAY: &str = "see that the database is up, at this address, and that it and the pool have connections to spare";
pub(super) const TABLE_DIFFERS: &str =
    "compare the table with the store's `schema()`, and make it the same";
pub(super) const LOGIN: &str = "check the user and the password in its address";
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(super) const TLS: &str = "add `sqlx` to your dependencies with a TLS feature, and see that the server has a certificate to trust";
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(super) const CLOSED: &str = "keep the pool open for as long as the application serves";

/// Advice by error code. PostgreSQL's codes have five characters, MySQL's four and SQLite's at most two.
const KNOWN: &[(&[&str], &str)] = &[
    #[cfg(any(feature = "sqlite", feature = "mysql"))]
    (&["3159"], TLS),
    (&["42P01", "1146"], NO_TABLE),
    (&["42703", "1054"], TABLE_DIFFERS),
    (
        &["3D000", "1049"],
        "create the database, or name another one in its address",
    ),
    (&["28P01", "28000", "1045", "1698"], LOGIN),
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
        &["53300", "1040", "1203", "1226"],
        "let the server take more connections, or the applications open fewer",
    ),
    (
        &["1153"],
        "raise the server's `max_allowed_packet` above the layer's `max_bytes`, or lower `max_bytes`",
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

/// How to fix the cause of what an engine answered, where that is known.
pub(super) fn on(code: Option<&str>, message: &str) -> Option<&'static str> {
    if message.starts_with(NO_SUCH_TABLE) {
        return Some(NO_TABLE);
    }
    if NO_SUCH_COLUMN.iter().any(|text| message.contains(text)) {
        return Some(TABLE_DIFFERS);
    }
    let known = KNOWN
        .iter()
        .find(|(codes, _)| code.is_some_and(|code| codes.contains(&code)));
    known.map(|(_, advice)| *advice)
}
