use std::{sync::Arc, time::Duration};

use crate::{
    record::{Alias, Details, Device, Stamp},
    time::{Timestamp, millis},
};

/// What the application wants done with the session itself, beside its data.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Intent {
    pub(super) regenerate: bool,
    pub(super) login: Option<Login>,
    pub(super) remember: Option<Remember>,
    /// Boxed, as it is rare.
    pub(super) details: Option<Box<DetailsEdit>>,
    /// The session becomes another user's, so none of the stored data may stay. Numbered, to tell one such login from
    /// the next.
    user_epoch: Option<u32>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Login {
    pub(super) user: Box<str>,
    pub(super) stamp: Option<Stamp>,
    pub(super) at: Timestamp,
}

/// What else is to be kept with the session.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct DetailsEdit {
    /// Empty to remove it.
    pub(super) label: Option<Box<str>>,
    pub(super) aliases: Vec<Alias>,
    pub(super) device: Option<Arc<Device>>,
}

/// For how long each use keeps the session, in place of the idle timeout. Numbered, as a repeated call renews it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Remember {
    /// `None`: no longer.
    pub(super) how_long: Option<Duration>,
    pub(super) number: u32,
}

impl Remember {
    /// Zero takes it back. Anything else is at least a second, the unit of a cookie's `Max-Age`, and whole
    /// milliseconds, the unit of a record.
    pub(super) fn new(how_long: Duration, number: u32) -> Self {
        let whole = || Duration::from_millis(millis(how_long)).max(Duration::from_secs(1));
        Self {
            how_long: (!how_long.is_zero()).then(whole),
            number,
        }
    }
}

impl Intent {
    /// A session that becomes another user's, for the time of this number.
    pub(super) fn another_user(number: u32) -> Self {
        Self {
            user_epoch: Some(number),
            ..Self::default()
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        !self.regenerate
            && self.login.is_none()
            && self.remember.is_none()
            && self.details.is_none()
            && self.user_epoch.is_none()
    }

    /// Whether the stored data stay, with the changes made to them.
    #[inline]
    pub(super) fn keeps_data(&self) -> bool {
        self.user_epoch.is_none()
    }

    /// What is left of it once `done`, an earlier state, is stored.
    pub(super) fn ack(&mut self, done: &Self) {
        if self.user_epoch != done.user_epoch {
            // Another user's since, and all of it is about that one.
            return;
        }
        self.user_epoch = None;
        self.regenerate &= !done.regenerate;
        if self.login == done.login {
            self.login = None;
        }
        if self.remember == done.remember {
            self.remember = None;
        }
        // A login that is still to come would take its aliases from the record.
        if self.login.is_none() && self.details == done.details {
            self.details = None;
        }
    }

    pub(super) fn edit_details(&mut self) -> &mut DetailsEdit {
        self.details.get_or_insert_default()
    }

    /// The details of a record that had these before.
    pub(super) fn details_after(&self, before: Option<&Arc<Details>>) -> Option<Arc<Details>> {
        if self.login.is_none() && self.details.is_none() {
            return before.cloned();
        }
        let mut details = before
            .map(|details| Details::clone(details))
            .unwrap_or_default();
        if let Some(login) = &self.login {
            details.stamp = login.stamp;
            // Another system knows that login by them, and not this one.
            details.aliases.clear();
        }
        if let Some(edit) = &self.details {
            if let Some(label) = &edit.label {
                details.label = Some(label.clone()).filter(|label| !label.is_empty());
            }
            edit.aliases
                .iter()
                .cloned()
                .for_each(|alias| details.set_alias(alias));
            // Bound by another request meanwhile: the first stays.
            if details.device.is_none() {
                details.device.clone_from(&edit.device);
            }
        }
        details.shared()
    }
}
