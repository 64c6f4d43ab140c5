use std::cell::{Cell, RefCell};

use wiz_session::WizSession;

thread_local! {
    static SESSION: RefCell<Option<WizSession>> = const { RefCell::new(None) };
    static USES: Cell<u32> = const { Cell::new(0) };
}

/// What uses this thread's session wherever it gets a chance.
pub(crate) struct Intruder;

impl Intruder {
    /// What a handler does with its session while the intruder looks on: a commit of each kind.
    pub(crate) const DEEDS: [fn(&WizSession); 5] = [
        |session| session.set("b", 2).unwrap(),
        |session| session.log_in("alice"),
        WizSession::regenerate,
        WizSession::clear,
        |session| {
            session.clear();
            session.set("b", 2).unwrap();
        },
    ];

    pub(crate) fn knows(session: &WizSession) {
        drop(SESSION.replace(Some(session.clone())));
    }

    pub(crate) fn leave() {
        drop(SESSION.take());
    }

    /// How often it had a chance since the last look.
    pub(crate) fn uses() -> u32 {
        USES.take()
    }

    pub(crate) fn looks() -> Option<WizSession> {
        let session = SESSION.with_borrow(Clone::clone)?;
        USES.set(USES.get() + 1);
        let _seen = (session.get::<u32>("a"), session.to_map(), session.user());
        let _seen = (session.handle(), session.expires_at(), session.is_ended());
        let _seen = format!("{session:?}");
        Some(session)
    }

    pub(crate) fn writes() {
        let Some(session) = Self::looks() else {
            return;
        };
        // It may be full.
        let _set = session.set("intruder", USES.get());
        let _updated = session.update("uses", |uses: &mut u32| *uses += 1);
        session.delete("never there");
        session.skip_touch();
    }
}
