//! What sends statements through a pool of [sqlx](https://docs.rs/sqlx).

mod driver;
mod failure;
mod lease;
mod sqlx_pool;

#[cfg(feature = "sqlite")]
pub(super) use self::failure::code;
pub(super) use self::{
    driver::{Driver, bind, driver},
    failure::into_error,
    lease::{Lease, pool_options},
    sqlx_pool::SqlxPool,
};
