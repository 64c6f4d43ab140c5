//! The suite for stores, tested by stores: it finds each fault whenever it runs, and lets right stores pass.
//!
//! A new fault is a line of the table in `faults.rs` and a few in `store.rs`.

mod faults;
mod finds;
mod kept;
mod passes;
mod pushing;
mod rows;
mod rule;
mod store;
mod times;
mod wrapped;
