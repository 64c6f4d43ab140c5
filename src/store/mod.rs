//! Where sessions are kept: the [`SessionStore`] contract and the stores that come with the crate. Which one for what:
//! [stores](crate::guide::stores). How to write one: [writing a store](crate::guide::writing_a_store).

#[cfg(all(
    feature = "flask",
    any(
        feature = "redis",
        feature = "sqlite",
        feature = "postgres",
        feature = "mysql"
    )
))]
mod blobs;
mod boxed;
mod client;
#[cfg(feature = "encryption")]
mod encrypted;
mod erased;
mod feed;
mod forward;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod regenerate;
mod scan;
mod session_store;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod sql;

#[cfg(feature = "conformance")]
pub mod conformance;

#[cfg(feature = "encryption")]
pub use self::encrypted::EncryptedStore;
#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
#[cfg(all(any(fuzzing, test), feature = "redis"))]
pub(crate) use self::redis::fuzz;
#[cfg(feature = "mysql")]
pub use self::sql::MySqlStore;
#[cfg(feature = "sqlite")]
pub use self::sql::SqliteStore;
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub use self::sql::sqlx;
#[cfg(feature = "postgres")]
pub use self::sql::{PostgresError, PostgresStore, tokio_postgres};
#[cfg(all(
    feature = "flask",
    any(
        feature = "redis",
        feature = "sqlite",
        feature = "postgres",
        feature = "mysql"
    )
))]
pub(crate) use self::{
    blobs::{Answer, Blob, Blobs, Paged},
    regenerate::in_steps,
};
pub use self::{
    boxed::BoxStore,
    feed::{Ended, Feed, FeedRequest, Status},
    memory::{MemoryStore, MemoryStoreBuilder},
    scan::{Cursor, Page},
    session_store::{Created, Replaced, SessionStore},
};
pub(crate) use self::{
    client::StoreClient,
    feed::{FeedSink, Watching},
};
