//! What the application is about. Models that live in the session are handed the session, as in
//! `Cart::of(&session)`; they know no HTTP.

mod cart;
mod device;
mod flash;
pub(crate) mod identity;
mod logins;
mod password;
mod preferences;
mod product;
mod registration;
pub(crate) mod snapshot;
mod user;

pub(crate) use cart::Cart;
pub(crate) use flash::Flash;
pub(crate) use logins::Logins;
pub(crate) use preferences::{Preferences, PreferencesUpdate};
pub(crate) use product::Product;
pub(crate) use registration::{Registration, Step1, Step2};
pub(crate) use user::{Contact, NewUser, User, Users};
