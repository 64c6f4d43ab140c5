//! What the tests share: a site with the session layer, browsers that visit it, a store and a log to look into.

mod act;
mod browser;
mod immediate;
#[path = "../../support/intruder.rs"]
mod intruder;
mod log;
mod never_hangs;
mod pushing;
mod server;
mod site;
mod yielding;

pub(crate) use wiz_session::test_util::{Fault, Gate, StoreMethod, TestStore};

pub(crate) use self::{
    act::Act,
    browser::{Browser, Reply, handle, ignore},
    immediate::{Contended, Immediate},
    intruder::Intruder,
    log::Log,
    never_hangs::never_hangs,
    pushing::{Pushing, settle},
    server::Server,
    site::{Site, key},
    yielding::Yielding,
};
