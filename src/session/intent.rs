use std::time::Duration;

use crate::time::Timestamp;

/// What is wanted of the session itself, beside its data.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Intent {
    pub(super) regenerate: bool,
    pub(super) login: Option<Login>,
    /// Zero: no longer.
    pub(super) remember: Option<Duration>,
    /// Nothing of the stored data may stay: it is another user's. Numbered, to tell one time from the next.
    another: Option<u32>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Login {
    pub(super) user: Box<str>,
    pub(super) at: Timestamp,
}

impl Intent {
    /// A session that becomes another user's for the time of this number.
    pub(super) fn another_user(number: u32) -> Self {
        Self {
            another: Some(number),
            ..Self::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the stored data stay, with the changes made to them.
    pub(super) fn keeps_data(&self) -> bool {
        self.another.is_none()
    }

    /// What is left of it once `done`, an earlier state, is in the record.
    pub(super) fn settle(&mut self, done: &Self) {
        if self.another != done.another {
            // Another user's since, and all of it is about that one.
            return;
        }
        self.another = None;
        self.regenerate &= !done.regenerate;
        if self.login == done.login {
            self.login = None;
        }
        if self.remember == done.remember {
            self.remember = None;
        }
    }
}
