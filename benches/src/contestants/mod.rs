//! Who runs. Adding a contestant is adding a module and a line to [`ALL`].

#[cfg(feature = "peers")]
pub mod axess;
mod axum_session;
mod bare;
mod noop;
#[cfg(feature = "peers")]
pub mod ruts;
mod sketch;
mod tower_sessions;
mod tower_sessions_signed;
pub mod wiz_session;

use axum::Router;
use tokio::runtime::Runtime;

pub struct Contestant {
    pub name: &'static str,
    /// The [routes](crate::routes::router) below this contestant's layer, with an empty store.
    pub app: fn() -> Router,
}

impl Contestant {
    /// Its application as a connection of `axum::serve` has it: without the state, axum would apply the layers anew at
    /// every request. The runtime is for those who spawn tasks when a layer is applied.
    pub fn app_on(&self, runtime: &Runtime) -> Router {
        let _inside = runtime.enter();
        (self.app)().with_state(())
    }
}

/// `bare` and `noop` come first, the library comes last.
pub const ALL: &[Contestant] = &[
    bare::CONTESTANT,
    noop::CONTESTANT,
    tower_sessions::CONTESTANT,
    tower_sessions_signed::CONTESTANT,
    axum_session::CONTESTANT,
    #[cfg(feature = "peers")]
    axess::CONTESTANT,
    #[cfg(feature = "peers")]
    ruts::CONTESTANT,
    sketch::CONTESTANT,
    wiz_session::CONTESTANT,
];

pub const BARE: &str = bare::CONTESTANT.name;
pub const NOOP: &str = noop::CONTESTANT.name;
/// The peer that does what the library does: a signed cookie and a memory store.
pub const PEER: &str = tower_sessions_signed::CONTESTANT.name;
/// What plain code takes for the same.
pub const SKETCH: &str = sketch::CONTESTANT.name;
pub const OURS: &str = wiz_session::CONTESTANT.name;

/// All contestants that have sessions.
pub fn with_sessions() -> impl Iterator<Item = &'static Contestant> {
    ALL.iter().filter(|one| ![BARE, NOOP].contains(&one.name))
}

pub fn named(name: &str) -> &'static Contestant {
    let mut all = ALL.iter().chain([&wiz_session::GROWN]);
    all.find(|one| one.name == name)
        .unwrap_or_else(|| panic!("no contestant is named {name}"))
}
