//! SQLite, PostgreSQL, MySQL and MariaDB, by way of [sqlx](https://docs.rs/sqlx).

mod advice;
mod dialect;
mod failure;
mod lease;
mod row;
mod statements;
mod store;

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "mysql")]
pub use self::mysql::MySqlStore;
#[cfg(feature = "postgres")]
pub use self::postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteStore;
pub use self::store::SqlStore;
