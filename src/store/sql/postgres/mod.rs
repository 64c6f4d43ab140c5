//! PostgreSQL through [tokio-postgres](https://docs.rs/tokio-postgres): a few connections, each used by all callers at
//! once.
//!
//! ```text
//! store ── pipelines ── lanes ── lane ── connection    which connection; opening and reopening it; sending, and
//!                       │ │       └──── connector      noticing that nothing comes back
//!                       │ └── batches                  gathers what is asked at one moment into one statement:
//!                       └──── writes                   loads, and writes
//! ```
//!
//! Every statement is sent with its types and without a name: Parse, Bind, Execute and Sync leave in one flush, so that
//! a pooler in transaction mode cannot part them.

mod address;
mod batches;
mod connection;
mod connector;
mod dialect;
mod failure;
mod feed;
mod lane;
mod lanes;
mod parameters;
mod pipelines;
mod store;
#[cfg(feature = "postgres-tls")]
mod tls;
mod writes;

#[cfg(test)]
pub(super) use self::dialect::SYNTAX;
pub use self::{failure::PostgresError, store::PostgresStore};
