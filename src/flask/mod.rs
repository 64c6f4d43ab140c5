//! One login with a Flask or wiz application beside this one.
#![allow(dead_code)]

mod cookie;
mod data;
mod json;

pub use self::{
    cookie::{FlaskCookie, FlaskCookieBuilder, FlaskDigest},
    data::FlaskData,
};
