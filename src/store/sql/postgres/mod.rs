//! PostgreSQL through [tokio-postgres](https://docs.rs/tokio-postgres): a few connections, each used by all callers at
//! once.
//!
//! ```text
//! store ── pipelines ── lane ── connection     which connection; opening and reopening it; sending, and noticing
//!          │   └──────────┴── connector        that nothing comes back
//!          └── loads                           gathers loads of the same moment into one statement
//! ```
//!
//! Every statement is sent with its types and without a name: Parse, Bind, Execute and Sync leave in one flush, so that
//! a pooler in transaction mode cannot part them.

mod address;
mod connection;
mod connector;
mod dialect;
mod failure;
mod feed;
mod lane;
mod loads;
mod pipelines;
mod store;
#[cfg(feature = "postgres-tls")]
mod tls;

#[cfg(test)]
pub(super) use self::dialect::SYNTAX;
pub use self::{failure::PostgresError, store::PostgresStore};
