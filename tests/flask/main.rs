//! Beside the real thing: Flask 3.0.2 and 3.1.3, and wiz.

mod example;
mod here;
mod login;
mod python;
mod random;
#[path = "../support/mod.rs"]
#[allow(dead_code)]
mod support;
mod there;
mod values;
mod visitor;
