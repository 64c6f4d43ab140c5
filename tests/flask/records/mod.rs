//! Flask-Session's records, with the real Flask-Session 0.8 on every engine that it shares with this crate.

mod conformance;
mod engine;
mod formats;
mod lifetimes;
mod login;
mod meetings;
mod values;
