//! What is particular about a file of SQLite: it may be missing, read-only, or on a full disk.

use std::{
    path::{Path, PathBuf},
    str::FromStr as _,
};

use sqlx::sqlite::SqliteConnectOptions;
use wiz_session::{Error, SqliteStore};

use crate::failure::Failure;

/// The store itself would create the file, and find no table in it.
pub(crate) fn is_there(url: &str) -> Result<(), Failure> {
    let options = SqliteConnectOptions::from_str(url);
    let options = options.map_err(|error| Failure::of_store(&Error::store(error)))?;
    match options.get_filename() {
        path if Path::is_file(path) => Ok(()),
        path => Err(Failure::of_missing_file(path)),
    }
}

/// Opens the file as the application does; to read only, where nothing may be written.
pub(crate) async fn connect(url: &str) -> Result<SqliteStore, Error> {
    let error = match SqliteStore::connect(url).await {
        Err(error) if is_read_only(&error) => error,
        opened => return opened,
    };
    let Ok(options) = SqliteConnectOptions::from_str(url) else {
        return Err(error);
    };
    let options = options.read_only(true);
    // Readers of a file in WAL mode write too, into the file `-shm` beside it. Where they cannot, and there is no WAL that
    // would be left out, the file is as good as one that does not change.
    let is_still = !has_wal(options.get_filename());
    for immutable in [false, true] {
        let options = options.clone().immutable(immutable);
        let pool = SqliteStore::pool_options().connect_with(options).await;
        if let Ok(pool) = pool
            && (is_still || !immutable)
        {
            let store = SqliteStore::from_pool(pool);
            if can_read(&store).await {
                return Ok(store);
            }
        }
    }
    Err(error)
}

/// Asked of the file itself: the first read of a file in WAL mode may fail although it was opened.
async fn can_read(store: &SqliteStore) -> bool {
    let schema = sqlx::query("SELECT count(*) FROM sqlite_schema");
    schema.execute(store.pool()).await.is_ok()
}

fn has_wal(file: &Path) -> bool {
    let mut wal = file.as_os_str().to_owned();
    wal.push("-wal");
    PathBuf::from(wal).metadata().is_ok_and(|wal| wal.len() > 0)
}

/// Moves what is in the WAL into the file and cuts the WAL to nothing, which leaves its space to others: a WAL of
/// megabytes is usual, and a delete takes some kilobytes. Answers whether that was done.
pub(crate) async fn make_room(store: &SqliteStore) -> bool {
    let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)");
    checkpoint.execute(store.pool()).await.is_ok()
}

pub(crate) fn is_full(error: &Error) -> bool {
    code(error).is_some_and(|code| code == 13)
}

fn is_read_only(error: &Error) -> bool {
    code(error).is_some_and(|code| matches!(code, 8 | 14))
}

/// The primary one, which is the low byte of an extended one.
fn code(error: &Error) -> Option<u32> {
    let source = std::error::Error::source(error)?;
    let sqlx::Error::Database(error) = source.downcast_ref()? else {
        return None;
    };
    let error = error.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    let code: u32 = sqlx::error::DatabaseError::code(error)?.parse().ok()?;
    Some(code & 0xff)
}
