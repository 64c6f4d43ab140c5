//! The session cookie: its attributes, its signature, reading it from requests and setting it in responses.

mod bearer;
mod codec;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzz;
mod header;
mod options;
mod origin;
mod session_cookie;
mod set_cookie;

use self::codec::SignedValue;
#[cfg(any(feature = "dbsc", feature = "flask"))]
pub(crate) use self::header::CookieFinder;
pub use self::options::CookieOptions;
pub(crate) use self::{
    codec::{Keys, Verified},
    header::CookieHeader,
    origin::is_insecure,
    session_cookie::SessionCookie,
    set_cookie::SetCookie,
};
