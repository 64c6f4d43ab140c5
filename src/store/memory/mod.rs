//! The store that keeps sessions in this process's memory.

mod shard;
mod shards;
mod store;
mod users;

pub use self::store::MemoryStore;
