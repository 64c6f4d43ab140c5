//! What the model knows of a history's sessions.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    request::{Id, User},
    values::Values,
};

/// All sessions of a history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Sessions(BTreeMap<Id, Arc<Session>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Session {
    pub(crate) user: Option<User>,
    pub(crate) life: Life,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Life {
    Live(Values),
    /// It has a new id, if that is known, and a tombstone under this one.
    Moved(Option<Id>),
    /// It was ended, and nothing is stored under the id.
    Ended,
}

impl Sessions {
    pub(crate) fn contains(&self, id: Id) -> bool {
        self.0.contains_key(&id)
    }

    pub(crate) fn find(&self, id: Option<Id>) -> Option<&Session> {
        let found = id.map(|id| self.0.get(&id).expect("its cookie was given out"));
        found.map(|session| &**session)
    }

    /// A new session. `false` if the id is in use.
    pub(crate) fn insert(&mut self, id: Id, session: Session) -> bool {
        self.0.insert(id, Arc::new(session)).is_none()
    }

    pub(crate) fn replace(&mut self, id: Id, session: Session) {
        self.0.insert(id, Arc::new(session));
    }

    /// Ends a session of the same user under whatever id it has by now, but not the one that asks.
    pub(crate) fn without(&self, asking: Id, other: Id) -> Self {
        let mut after = self.clone();
        let user = self.0.get(&asking).and_then(|asking| asking.user);
        let mut next = user.is_some().then_some(other);
        while let Some(id) = next.filter(|id| *id != asking) {
            let session = self.0.get(&id).filter(|session| session.user == user);
            next = match session.map(|session| &session.life) {
                Some(Life::Moved(new)) => *new,
                Some(Life::Live(_)) => {
                    after.end(Some(id), Life::Ended);
                    None
                }
                _ => None,
            };
        }
        after
    }

    pub(crate) fn end(&mut self, id: Option<Id>, life: Life) {
        let session = id.and_then(|id| self.0.get_mut(&id));
        if let Some(session) = session.filter(|session| session.is_live()) {
            Arc::make_mut(session).life = life;
        }
    }
}

impl Session {
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.life, Life::Live(_))
    }

    pub(crate) fn is_logged_in(&self) -> bool {
        self.is_live() && self.user.is_some()
    }
}
