//! tower-sessions with a signed cookie, which is what the library does by default.

use tower_sessions::{MemoryStore, Session, SessionManagerLayer, cookie::Key};

use super::Contestant;
use crate::routes::router;

pub const CONTESTANT: Contestant = Contestant {
    name: "tower_sessions_signed",
    app: || {
        let layer =
            SessionManagerLayer::new(MemoryStore::default()).with_signed(Key::from(&[7; 64]));
        router::<Session>().layer(layer)
    },
};
