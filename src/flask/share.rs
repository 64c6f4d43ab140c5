//! After the handler: what the session holds then is what Flask is to see.

use std::time::SystemTime;

use http::HeaderValue;

use super::{
    data::FlaskData,
    json,
    mirror::{MIRROR_KEY, Mirror, Values},
    settings::{PERMANENT, Presented, Settings},
};
use crate::{error::Error, observe, session::WizSession};

/// What the session and Flask's cookie come to.
struct Plan {
    /// To be stored in the session.
    mirror: Option<Mirror>,
    /// The `Set-Cookie` line.
    line: Option<HeaderValue>,
    is_too_large: bool,
}

/// Commits what is pending together with what the two agree on, and gives the line that tells Flask. Without a need to tell
/// it nothing is done: the layer commits.
pub(super) async fn share(
    settings: &Settings,
    session: &WizSession,
    presented: Option<&Presented>,
    now: SystemTime,
) -> Option<HeaderValue> {
    let user = session.user();
    let sharer = Sharer {
        settings,
        user: user.as_deref(),
        presented,
        now,
    };
    let first = sharer.plan(session);
    if first.is_too_large {
        observe::flask_too_large();
    }
    first.mirror.as_ref()?;
    // On the newest record: other requests may have shared more meanwhile.
    let committed = session.transaction(|tx| {
        let Plan { mirror, line, .. } = sharer.plan(tx);
        if let Some(mirror) = mirror {
            tx.set(MIRROR_KEY, mirror)?;
        }
        Ok::<_, Error>(line)
    });
    match committed.await {
        Ok(line) => line,
        Err(error) => {
            // One that is over has nothing to share. After another failure the layer tries to commit without this.
            if !error.is_gone() {
                observe::flask_failed(&error);
            }
            None
        }
    }
}

struct Sharer<'a> {
    settings: &'a Settings,
    user: Option<&'a str>,
    presented: Option<&'a Presented>,
    now: SystemTime,
}

impl Sharer<'_> {
    fn plan(&self, values: &impl Values) -> Plan {
        let before = Mirror::read(values);
        let nothing = FlaskData::default();
        let has = self.presented.map_or(&nothing, |presented| &presented.data);
        let mut wants = self.content(values, before.as_ref(), has);
        let mut plan = Plan {
            mirror: None,
            line: None,
            is_too_large: false,
        };
        let mut mirror = before.clone().unwrap_or_default();
        let is_due = self.presented.is_some_and(|presented| presented.is_due);
        if wants.is_empty() && !has.is_empty() {
            plan.line = self.settings.removal();
        } else if wants == *has && (is_due || mirror.lineage().is_none() && !wants.is_empty()) {
            // Else Flask's own cookie could not be told from the copies of it that are on their way.
            plan.line = self.seal(&wants, &mut mirror);
        } else if wants != *has {
            plan.line = self.seal(&wants, &mut mirror);
            if plan.line.is_none() {
                plan.is_too_large = true;
                // A login and a logout are told all the same.
                if self.settings.user.find(has).as_deref() == self.user {
                    return plan;
                }
                wants = self.least(&wants, has);
                plan.line = self.seal(&wants, &mut mirror);
                if plan.line.is_none() {
                    return plan;
                }
            }
        }
        self.agree(&mut mirror, &wants);
        let is_other = before.as_ref() != Some(&mirror);
        let is_news = is_other && (before.is_some() || !wants.is_empty());
        plan.mirror = (is_news || plan.line.is_some()).then_some(mirror);
        plan
    }

    fn agree(&self, mirror: &mut Mirror, flask: &FlaskData) {
        let user = self.settings.user.find(flask);
        let keeps_known = self.settings.keeps_known();
        mirror.agree(flask, user.as_deref(), keeps_known, self.now);
    }

    /// What Flask is to hold.
    fn content(&self, values: &impl Values, mirror: Option<&Mirror>, has: &FlaskData) -> FlaskData {
        let mut flask = FlaskData::default();
        // Without a mirror the session was cleared, or is another user's: then nothing stays.
        for (key, value) in has.iter().filter(|_| mirror.is_some()) {
            let is_own = self.settings.to_session(key, value).is_none();
            if is_own && !self.settings.user.has_key(key) {
                flask.put(key, value.into());
            }
        }
        for name in values.all_keys() {
            let key = json::key(&name);
            if let Some(value) = values.raw(&name)
                && let Some(value) = self.settings.to_flask(&key, &value, mirror)
            {
                flask.put(&key, value.into());
            }
        }
        if let Some(user) = self.user {
            self.settings.user.write(user, has, &mut flask);
        }
        flask
    }

    /// Who is logged in, and for how long.
    fn least(&self, wants: &FlaskData, has: &FlaskData) -> FlaskData {
        let mut flask = FlaskData::default();
        if let Some(permanent) = wants.text(PERMANENT) {
            flask.put(PERMANENT, permanent.into());
        }
        if let Some(user) = self.user {
            self.settings.user.write(user, has, &mut flask);
        }
        flask
    }

    /// The line that tells Flask, in the lineage of this user. `None` if it would be too long.
    fn seal(&self, flask: &FlaskData, mirror: &mut Mirror) -> Option<HeaderValue> {
        let mut of_user = mirror.clone();
        self.agree(&mut of_user, flask);
        if of_user.lineage().is_none() {
            // A session that begins, or begins anew, in a browser that has a cookie of before.
            let former = self.presented.and_then(|presented| presented.lineage);
            of_user.succeed(former, self.now);
        }
        let lineage = of_user.begin_lineage();
        let value = self
            .settings
            .cookie
            .encode_marked(flask, lineage, self.now)?;
        let line = self.settings.line(value, flask)?;
        *mirror = of_user;
        Some(line)
    }
}
