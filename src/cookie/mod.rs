//! The session cookie: its attributes, its signature, reading it from requests and setting it in responses.

mod bearer;
mod codec;
mod header;
mod options;
mod session_cookie;
mod set_cookie;

use self::codec::SignedValue;
#[cfg(feature = "dbsc")]
pub(crate) use self::header::CookieFinder;
pub use self::options::CookieOptions;
pub(crate) use self::{
    codec::Keys, header::CookieHeader, session_cookie::SessionCookie, set_cookie::SetCookie,
};
