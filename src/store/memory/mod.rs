//! The store that keeps sessions in this process's memory.
//!
//! ```text
//! MemoryStore ── Sessions        the methods of a store
//!                   ├── Eviction     makes room: asks `Capacity` whose turn it is
//!                   └── Contents     what must agree: records, the index of users, the usage
//!                          ├── Shards ── Shard ── ExpiryQueue
//!                          ├── Users ─── UserShard ── UserSessions
//!                          └── Capacity
//! ```
//!
//! Locks, in the order in which one thread may take them: a user's shard of the index, then shards of records by rising
//! number. Nothing else is locked meanwhile.

mod board;
mod builder;
mod capacity;
mod contents;
mod eviction;
mod expiry_queue;
mod key;
mod sessions;
mod shard;
mod shards;
mod store;
#[cfg(test)]
mod tests;
mod user_sessions;
mod users;

pub use self::{builder::MemoryStoreBuilder, store::MemoryStore};
