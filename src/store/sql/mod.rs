//! SQLite, MySQL and MariaDB through [sqlx](https://docs.rs/sqlx), and PostgreSQL through
//! [tokio-postgres](https://docs.rs/tokio-postgres): one body of statements, in three dialects.

mod advice;
#[cfg(feature = "flask")]
mod blobs;
mod common;
mod executor;
mod found;
mod row;
mod statements;
mod syntax;
mod table;
mod value;

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(any(feature = "sqlite", feature = "mysql"))]
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

/// The library of the SQLite and MySQL stores, in the version that their `from_pool` takes.
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub use sqlx;
/// The library of the PostgreSQL store, in the version that its constructors take.
#[cfg(feature = "postgres")]
pub use tokio_postgres;

#[cfg(feature = "mysql")]
pub use self::mysql::MySqlStore;
#[cfg(feature = "postgres")]
pub use self::postgres::{PostgresError, PostgresStore};
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteStore;
