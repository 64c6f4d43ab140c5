use std::{
    error::Error as StdError,
    fmt::{self, Display, Write as _},
    io::{self, Write as _},
    time::Duration,
};

use wiz_session::{ConfigError, Error, store::PostgresError};

use crate::{exit::Exit, text::plain};

/// Why it could not be done, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    advice: Option<String>,
    exit: Exit,
}

impl Failure {
    pub(crate) fn of_usage(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            advice: Some(advice.into()),
            exit: Exit::Usage,
        }
    }

    pub(crate) fn of_system(what: &str, error: &io::Error) -> Self {
        Self {
            what: format!("{what}: {error}"),
            advice: None,
            exit: Exit::Failed,
        }
    }

    pub(crate) fn of_store(error: &Error) -> Self {
        let advice = advice(error);
        Self {
            what: match advice {
                // In the words of this tool, not in the library's.
                Some(_) => chain("the session store failed", error),
                None => chain(&error.to_string(), error),
            },
            advice: advice.map(str::to_owned),
            exit: match advice {
                Some(BAD_URL) => Exit::Usage,
                _ => Exit::Failed,
            },
        }
    }

    /// There is no file, so there is no session in it.
    pub(crate) fn of_missing_file(path: &std::path::Path) -> Self {
        Self {
            what: format!("there is no file {}", path.display()),
            advice: Some("look at the path; `wiz-session migrate` creates the file".to_owned()),
            exit: Exit::Failed,
        }
    }

    pub(crate) fn of_silence(patience: Duration) -> Self {
        Self {
            what: format!("the session store did not answer within {patience:?}"),
            advice: Some(
                "look at the server; `--timeout SECONDS` waits for longer, `--batch N` of `sweep` and `copy` asks for less"
                    .to_owned(),
            ),
            exit: Exit::Failed,
        }
    }

    /// Prefixes what had been done before the failure.
    pub(crate) fn after(mut self, done: impl Display) -> Self {
        self.what = format!("{done}, then {}", self.what);
        self
    }

    /// Adds how to go on from there.
    pub(crate) fn resumed_by(mut self, how: &str) -> Self {
        self.advice = Some(match self.advice {
            Some(advice) => format!("{advice}; then {how}"),
            None => how.to_owned(),
        });
        self
    }

    /// A session that others kept changing.
    pub(crate) fn of_a_busy_session() -> Self {
        Self {
            what: "a session changed each time it was about to be written".to_owned(),
            advice: Some("is the application using TO already? Try again".to_owned()),
            exit: Exit::Failed,
        }
    }

    /// Says so on the standard error, and what to end with.
    pub(crate) fn tell(&self) -> Exit {
        // There is nobody to tell if that fails.
        let _ = writeln!(io::stderr(), "{self}");
        self.exit
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wiz-session: {}", plain(&self.what))?;
        match &self.advice {
            Some(advice) => write!(f, "\n  {advice}"),
            None => Ok(()),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self {
            what: error.to_string(),
            advice: None,
            exit: Exit::Usage,
        }
    }
}

/// What an error says and its sources, but for those that only say again what was said.
fn chain(what: &str, error: &Error) -> String {
    let mut said = what.to_owned();
    let mut source = error.source();
    while let Some(error) = source {
        let saying = error.to_string();
        if !said.contains(&saying) {
            // A string takes all that is written to it.
            let _ = write!(said, ": {saying}");
        }
        source = error.source();
    }
    said
}

fn advice(error: &Error) -> Option<&'static str> {
    let source = error.source()?;
    let of_postgres = source.downcast_ref().and_then(of_postgres);
    let of_sql = || source.downcast_ref().and_then(of_sql);
    let of_redis = || source.downcast_ref().and_then(of_redis);
    of_postgres.or_else(of_sql).or_else(of_redis)
}

fn of_postgres(error: &PostgresError) -> Option<&'static str> {
    let text = error.to_string();
    match error.code() {
        Some("42P01") => Some(NO_TABLE),
        Some("28000") if text.contains("no encryption") => Some(ASK_FOR_TLS),
        Some("28000" | "28P01") => Some(NO_ENTRY),
        Some(code) => full(code),
        None if text.contains("address") || text.starts_with("invalid") => Some(BAD_URL),
        None if text.contains("not support TLS") => Some(NO_TLS_THERE),
        None if text.contains("TLS") || text.contains("certificate") => Some(NOT_TRUSTED),
        None if text.starts_with("error deserializing") => None,
        None => Some(NO_SERVER),
    }
}

fn of_sql(error: &sqlx::Error) -> Option<&'static str> {
    match error {
        sqlx::Error::Database(error) => of_database(&**error),
        sqlx::Error::Configuration(_) => Some(BAD_URL),
        sqlx::Error::PoolTimedOut => Some(NO_SERVER),
        sqlx::Error::Io(error) => Some(of_tls(error).unwrap_or(NO_SERVER)),
        error => of_tls(error),
    }
}

/// MySQL and MariaDB have codes, and numbers that are more exact; SQLite has words.
fn of_database(error: &dyn sqlx::error::DatabaseError) -> Option<&'static str> {
    let mysql = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>();
    if let Some(advice) = mysql.and_then(|error| full(&error.number().to_string())) {
        return Some(advice);
    }
    match error.code().as_deref() {
        Some("42S02") => Some(NO_TABLE),
        Some("28000") => Some(NO_ENTRY),
        _ if error.message().starts_with("no such table") => Some(NO_TABLE),
        _ if error.message().contains("is full") => Some(FULL),
        _ if error.message().contains("readonly database") => Some(READ_ONLY),
        _ if error.message().starts_with("unable to open") => Some(NO_FOLDER),
        _ if error.message().starts_with("database is locked") => Some(LOCKED),
        _ => None,
    }
}

/// PostgreSQL's code and MySQL's numbers of a full disk.
fn full(code: &str) -> Option<&'static str> {
    matches!(code, "53100" | "1021" | "1114").then_some(FULL)
}

fn of_redis(error: &redis::RedisError) -> Option<&'static str> {
    match error.kind() {
        _ if matches!(error.code(), Some("NOAUTH" | "WRONGPASS")) => Some(NO_ENTRY),
        redis::ErrorKind::AuthenticationFailed => Some(NO_ENTRY),
        redis::ErrorKind::InvalidClientConfig => Some(of_tls(error).unwrap_or(BAD_URL)),
        redis::ErrorKind::Io | redis::ErrorKind::ClusterConnectionNotFound => {
            Some(of_tls(error).unwrap_or(NO_SERVER))
        }
        _ => None,
    }
}

/// There is nothing to tell these by but the words.
fn of_tls(error: &dyn StdError) -> Option<&'static str> {
    let text = error.to_string();
    match text.contains("TLS") {
        true if text.contains("not enabled") || text.contains("without TLS") => Some(NO_TLS),
        _ if text.contains("certificate") => Some(NOT_TRUSTED),
        _ => None,
    }
}

const NO_TLS: &str = "this build has no TLS; one that has: \
    cargo install wiz-session --features cli,redis/tokio-rustls-comp,sqlx/tls-rustls";
const ASK_FOR_TLS: &str =
    "the server takes encrypted connections only: ask for one by ?sslmode=verify-full in the URL";
const NO_TLS_THERE: &str = "turn TLS on in the server, or leave sslmode out of the URL";
const NOT_TRUSTED: &str = "name the authority that signed the server's certificate: \
    SSL_CERT_FILE for Redis, ?sslrootcert=FILE in the URL for PostgreSQL, ?ssl-ca=FILE for MySQL";
const NO_TABLE: &str =
    "run `wiz-session migrate` first, or name the table of the application with --table";
const FULL: &str = "make room on the database's disk; for `revoke` a megabyte is enough";
const READ_ONLY: &str =
    "the file or its folder is read-only: run it as a user who may write to both";
const NO_FOLDER: &str = "is the folder there, and may you write to it?";
const LOCKED: &str = "somebody else is writing to the file; try again";
const BAD_URL: &str = "look at the URL of the store; `wiz-session --help` shows how it is written";
const NO_SERVER: &str = "is the server running, at the address in --store or WIZ_SESSION_STORE?";
const NO_ENTRY: &str = "look at the user and the password in --store or WIZ_SESSION_STORE";
