//! SQLite, PostgreSQL, MySQL and MariaDB, through [sqlx](https://docs.rs/sqlx).

mod advice;
mod dialect;
mod failure;
mod lease;
mod row;
mod statements;
mod store;
mod syntax;
mod value;

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "mysql")]
pub use self::store::MySqlStore;
#[cfg(feature = "postgres")]
pub use self::store::PostgresStore;
pub use self::store::SqlStore;
#[cfg(feature = "sqlite")]
pub use self::store::SqliteStore;
