use std::{collections::BTreeSet, time::SystemTime};

use http::HeaderValue;
use serde_json::value::RawValue;

use super::{
    cookie::{FlaskCookie, seconds, signature},
    data::{FlaskData, Raw},
    flashes,
    json::{self, Way},
    lineage::Lineage,
    mirror::{MIRROR_KEY, Mirror},
    user::FlaskUser,
};
use crate::cookie::{CookieFinder, CookieHeader, CookieOptions};

/// What all requests through one bridge share.
pub(super) struct Settings {
    pub(super) cookie: FlaskCookie,
    pub(super) options: CookieOptions,
    pub(super) finder: CookieFinder,
    pub(super) user: FlaskUser,
    pub(super) shared: Shared,
}

/// Which keys are shared.
#[derive(Debug, Clone)]
pub(super) enum Shared {
    /// All of Flask's; of the session's those that Flask had already.
    Known,
    /// These, by their text, in both directions.
    Only(BTreeSet<Box<str>>),
    All,
}

/// A cookie of Flask's that the client sent.
pub(super) struct Presented {
    pub(super) data: FlaskData,
    /// There if a bridge wrote it, and Flask has written none since.
    pub(super) lineage: Option<Lineage>,
    pub(super) signature: Box<str>,
    /// In seconds.
    pub(super) age: u64,
    pub(super) is_due: bool,
}

impl Presented {
    /// Whether the session is further than this cookie: its response, or the request that brought it, was overtaken.
    pub(super) fn is_outdated(&self, mirror: &Mirror, now: SystemTime) -> bool {
        let signed_at = seconds(now).saturating_sub(self.age);
        match self.lineage {
            Some(_) => mirror.has_sent(self.lineage, now),
            None => mirror.has_seen(&self.signature, signed_at),
        }
    }
}

/// How many cookies of one name are looked at.
const MAX_COOKIES: usize = 8;

/// How often a permanent cookie that nothing changes is sent again within its lifetime.
const REFRESHES: u64 = 10;

/// Browsers drop what is larger, in silence. Flask's own warning begins here.
const MAX_LINE: usize = 4093;

impl Settings {
    /// The first cookie that verifies. An error if the client sent some and none does.
    pub(super) fn presented(
        &self,
        cookies: &CookieHeader,
        now: SystemTime,
    ) -> Result<Option<Presented>, Refused> {
        let mut refused = Ok(None);
        for value in cookies.values(&self.finder).take(MAX_COOKIES) {
            match self.cookie.open(value, now) {
                Some(opened) => {
                    let is_due = opened.age > self.cookie.lifetime().as_secs() / REFRESHES;
                    return Ok(Some(Presented {
                        is_due: is_due && is_permanent(&opened.data),
                        data: opened.data,
                        lineage: opened.lineage,
                        signature: signature(value),
                        age: opened.age,
                    }));
                }
                None => refused = Err(Refused),
            }
        }
        refused
    }

    /// The session's key for a member. `None` if it stays Flask's own.
    pub(super) fn session_key(&self, key: &str) -> Option<String> {
        let is_shared = match &self.shared {
            Shared::Known | Shared::All => key != MIRROR_KEY,
            Shared::Only(keys) => keys.contains(key),
        };
        json::unescaped(key).filter(|_| is_shared)
    }

    /// A member as the session keeps it: its key and value. `None` if it stays Flask's own.
    pub(super) fn to_session(&self, key: &str, value: &str) -> Option<(String, Raw)> {
        let name = self.session_key(key)?;
        let value = match key {
            flashes::KEY => flashes::from_flask(value)?,
            _ => RawValue::from_string(json::value(value, Way::FromFlask)?).ok()?,
        };
        Some((name, value))
    }

    /// A value of the session as a member, by its text. `None` if it stays the session's own.
    pub(super) fn to_flask(
        &self,
        key: &str,
        value: &Raw,
        mirror: Option<&Mirror>,
    ) -> Option<String> {
        let is_shared = match &self.shared {
            Shared::Known => mirror.is_some_and(|mirror| mirror.knows(key)),
            Shared::Only(keys) => keys.contains(key),
            Shared::All => true,
        };
        if !is_shared || key == MIRROR_KEY || self.user.has_key(key) {
            return None;
        }
        let messages = (key == flashes::KEY).then(|| flashes::to_flask(value.get()));
        messages
            .flatten()
            .or_else(|| json::value(value.get(), Way::ToFlask))
    }

    pub(super) fn keeps_known(&self) -> bool {
        matches!(self.shared, Shared::Known)
    }

    /// The line that sets the cookie. `None` if browsers would drop it.
    pub(super) fn line(&self, value: String, flask: &FlaskData) -> Option<HeaderValue> {
        let max_age = is_permanent(flask).then(|| self.cookie.lifetime());
        let line = self.options.cookie(value, max_age).to_string();
        let line = Some(line).filter(|line| line.len() <= MAX_LINE)?;
        HeaderValue::try_from(line).ok()
    }

    pub(super) fn removal(&self) -> Option<HeaderValue> {
        let none = std::time::Duration::ZERO;
        let line = self.options.cookie(String::new(), Some(none)).to_string();
        HeaderValue::try_from(line).ok()
    }
}

/// The client sent cookies of Flask's name, and none of them is good.
pub(super) struct Refused;

/// `session.permanent` of Flask.
pub(super) const PERMANENT: &str = "_permanent";

fn is_permanent(flask: &FlaskData) -> bool {
    flask.text(PERMANENT) == Some("true")
}
