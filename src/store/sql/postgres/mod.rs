//! PostgreSQL through [tokio-postgres](https://docs.rs/tokio-postgres): a few connections, each used by all callers in
//! turn.
//!
//! ```text
//! store ── executor ── lanes ── lane ── connection    which connection; opening and reopening it; sending, and
//!                      │ │      │└───── connector      noticing that nothing comes back
//!                      │ │      └────── statement      whose caller may go away
//!                      │ └── batches                  gathers what is asked at one moment into one statement:
//!                      └──── writes                   loads, and writes
//! ```
//!
//! Every statement is sent with its types and without a name, when the one before it has been answered: so no pooler in
//! transaction mode can part it, or mix it with another.

mod address;
mod batches;
mod connection;
mod connector;
mod dialect;
mod executor;
mod failure;
mod feed;
mod lane;
mod lanes;
mod parameters;
mod statement;
mod store;
#[cfg(feature = "postgres-tls")]
mod tls;
mod writes;

#[cfg(test)]
pub(super) use self::dialect::SYNTAX;
pub use self::{failure::PostgresError, store::PostgresStore};
