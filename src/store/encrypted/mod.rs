//! Sessions that the database cannot read.

mod key;
mod seal;
mod store;

pub use self::store::EncryptedStore;
