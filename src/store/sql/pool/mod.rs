//! What sends statements through a pool of [sqlx](https://docs.rs/sqlx).

mod driver;
mod failure;
mod lease;
mod sqlx_pool;

pub(super) use self::{
    driver::{Driver, bind, driver},
    failure::{code, into_error},
    lease::{Lease, pool_options},
    sqlx_pool::SqlxPool,
};
