//! One login with a Flask or wiz application beside this one, while its routes move over one by one.
//!
//! [`FlaskBridge`] shares the login and the data of Flask's signed cookie with the sessions here.
//! [`guide::from_flask`](crate::guide::from_flask) says in which order to move, and what each side sees.

mod bridge;
mod builder;
mod cookie;
mod data;
mod flashes;
mod json;
mod lineage;
mod logged_out;
mod mirror;
mod settings;
mod share;
mod take_over;
mod user;
mod visit;

pub use self::{
    bridge::{FlaskBridge, FlaskBridgeService},
    builder::FlaskBridgeBuilder,
    cookie::{FlaskCookie, FlaskCookieBuilder, FlaskDigest},
    data::FlaskData,
    mirror::MIRROR_KEY,
    user::FlaskUser,
};
