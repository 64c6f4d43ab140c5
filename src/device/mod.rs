//! Device-bound sessions: the W3C draft *Device Bound Session Credentials*. Without the feature `dbsc` it is nothing.
//!
//! ```text
//!  browser                                              layer
//!     │ POST /login ─────────────────────────────────────▶ │ log_in, commit
//!     │ ◀──────────── Secure-Session-Registration: challenge │ offer
//!     │ makes a key in its hardware                           │
//!     │ POST …/register, JWS over the challenge, with the key ▶ │ 1 load, 1 replace: the key into the record
//!     │ ◀──── bound cookie (ten minutes), the next challenge │
//!     │ GET / with both cookies ─────────────────────────────▶ │ 1 load as ever, 1 MAC
//!     ┆ before the bound cookie ends                          ┆
//!     │ POST …/refresh, JWS over the challenge ──────────────▶ │ 1 load, verified by the record's key
//!     │ ◀──── bound cookie, the next challenge             │ stale challenge or moved session: 403, challenge
//! ```
//!
//! Bound cookies and challenges are MACs, so nothing is stored for them. A binding has an id of its own, which stays when
//! its session moves to a new one.

#[cfg(feature = "dbsc")]
mod binding;
#[cfg(all(any(fuzzing, test), feature = "dbsc"))]
pub(crate) mod fuzz;
#[cfg(feature = "dbsc")]
mod gate;
#[cfg(feature = "dbsc")]
mod headers;
#[cfg(feature = "dbsc")]
mod jws;
#[cfg(feature = "dbsc")]
mod mac;
#[cfg(all(test, feature = "dbsc"))]
mod random;
#[cfg(feature = "dbsc")]
mod routes;
#[cfg(feature = "dbsc")]
mod settings;
#[cfg(not(feature = "dbsc"))]
mod without;

#[cfg(feature = "dbsc")]
pub use self::binding::DeviceBinding;
#[cfg(not(feature = "dbsc"))]
pub(crate) use self::without::{Answer, DeviceGate, DeviceSettings, answer};
#[cfg(feature = "dbsc")]
pub(crate) use self::{
    gate::DeviceGate,
    routes::{Answer, answer},
    settings::DeviceSettings,
};
