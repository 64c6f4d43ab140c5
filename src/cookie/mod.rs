//! The session's cookie: its attributes, its signature, and how it is found in a request.

mod codec;
mod options;
mod presented;
mod set_cookie;

pub use self::options::CookieOptions;
pub(crate) use self::{
    codec::{Codec, Signed},
    presented::{Name, Presented},
    set_cookie::{SetCookie, Template},
};
