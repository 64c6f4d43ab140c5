//! The session's cookie: its attributes, its signature, and how it is found in a request.

mod codec;
mod header;
mod options;
mod set_cookie;

pub use self::options::CookieOptions;
pub(crate) use self::{
    codec::{Codec, SignedValue},
    header::{CookieFinder, CookieHeader},
    set_cookie::{SetCookie, SetCookieTemplate},
};
