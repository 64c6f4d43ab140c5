//! Flask-Session's records, which both applications read and write: `session:` and an id, and under it the session as
//! msgpack or JSON.
//!
//! ```text
//!  Flask's cookie ──▶ ids ──▶ handle ──▶ layer ──▶ store ──▶ ids ──▶ session:<id>
//!                                                    │
//!                                                  codec   record ◀──▶ map, with a head of ours under `_wiz`
//!                                                    │
//!                                                  blobs   compare-and-swap on the bytes: Redis, or a SQL table
//! ```
//!
//! **Ids.** A session that begins here has the record whose id is its handle, sealed with the store's key; so the key is
//! found by the handle, and the handle by the cookie. Of one that begins at Flask both handle and session id are derived
//! from Flask's id, by a key: every request that brings the cookie comes to the same session, and the bridge tells the
//! store which record that is.
//!
//! **Versions.** The head has a number, and a digest of all else in the map. Where that differs Flask has written since:
//! then the version is the number and a part of the new digest, so that a write of ours which expects the version before
//! is a conflict. What is written is compared with the bytes that were read.

mod bridge;
mod builder;
mod codec;
mod cookies;
mod head;
mod ids;
mod map;
mod serialization;
mod store;
mod value;
mod visit;

pub use self::{
    bridge::{FlaskSessionBridge, FlaskSessionBridgeService},
    builder::FlaskSessionStoreBuilder,
    serialization::FlaskSerialization,
    store::FlaskSessionStore,
};
