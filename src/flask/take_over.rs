//! Before the handler: what Flask has done since the two last agreed is done to the session.

use std::time::SystemTime;

use super::{
    data::FlaskData,
    mirror::{MIRROR_KEY, Mirror},
    settings::{Presented, Settings},
};
use crate::{error::Error, observe, session::WizSession};

/// Answers whether there is a session now that Flask knows of, or should.
///
/// # Errors
/// If the session has no room for what it has to remember of Flask's cookie.
pub(super) fn take_over(
    settings: &Settings,
    session: &WizSession,
    presented: Option<&Presented>,
    now: SystemTime,
) -> Result<bool, Error> {
    let take = Take {
        settings,
        session,
        now,
    };
    let nothing = FlaskData::default();
    let flask = presented.map_or(&nothing, |presented| &presented.data);
    if session.is_new() {
        if !flask.is_empty() {
            take.follow(Mirror::default(), flask, presented)?;
        }
        return Ok(!flask.is_empty());
    }
    match Mirror::read(session) {
        // They have had nothing to do with one another so far.
        None if presented.is_none() => {}
        None => take.follow(Mirror::default(), flask, presented)?,
        Some(mirror) if mirror.agrees_with(flask) => {}
        Some(mirror) if presented.is_some_and(|sent| sent.is_outdated(&mirror, now)) => {}
        Some(mirror) => take.follow(mirror, flask, presented)?,
    }
    Ok(true)
}

struct Take<'a> {
    settings: &'a Settings,
    session: &'a WizSession,
    now: SystemTime,
}

impl Take<'_> {
    /// Flask has changed something since the two agreed on what the mirror shows.
    fn follow(
        &self,
        mut mirror: Mirror,
        flask: &FlaskData,
        presented: Option<&Presented>,
    ) -> Result<(), Error> {
        let user = self.settings.user.find(flask);
        if !mirror.has_user(user.as_deref()) && user != self.session.user() {
            // Of another user nothing is kept; what a visitor had is.
            if self.session.user().is_some() {
                let former = mirror.lineage();
                mirror = Mirror::default();
                mirror.succeed(former, self.now);
            }
            match &user {
                Some(user) => self.session.log_in(user),
                None => drop(self.session.log_out()),
            }
            if flask.is_empty() {
                return Ok(());
            }
        }
        self.import(flask, &mirror);
        if let Some(Presented {
            lineage: None,
            signature,
            ..
        }) = presented
        {
            mirror.note_seen(signature);
        }
        mirror.agree(
            flask,
            user.as_deref(),
            self.settings.keeps_known(),
            self.now,
        );
        self.session.set(MIRROR_KEY, mirror)
    }

    /// What differs from what the two had agreed on. What is too large stays away: it must not cost the login.
    fn import(&self, flask: &FlaskData, mirror: &Mirror) {
        for (key, value) in flask.iter() {
            if mirror.differs(key, Some(value))
                && let Some((key, value)) = self.settings.to_session(key, value)
                && let Err(error) = self.session.set(&key, value)
            {
                observe::flask_failed(&error);
            }
        }
        for key in mirror.keys() {
            if flask.text(key).is_none()
                && let Some(key) = self.settings.session_key(key)
            {
                self.session.delete(&key);
            }
        }
    }
}
