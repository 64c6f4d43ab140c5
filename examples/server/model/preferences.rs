//! How a visitor likes the pages.

use serde::{Deserialize, Serialize};
use wiz_session::{Error, WizSession};

const KEY: &str = "preferences";

/// The preferences, whole.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Preferences {
    pub(crate) theme: String,
    pub(crate) language: String,
    pub(crate) notifications: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            theme: "light".to_owned(),
            language: "ko".to_owned(),
            notifications: true,
        }
    }
}

/// A change of some of the preferences.
#[derive(Clone, Deserialize)]
pub(crate) struct PreferencesUpdate {
    theme: Option<String>,
    language: Option<String>,
    notifications: Option<bool>,
}

impl Preferences {
    /// The preferences of a session.
    pub(crate) fn of(session: &WizSession) -> Result<Self, Error> {
        Ok(Self::chosen(session)?.unwrap_or_default())
    }

    /// The same, if the visitor has chosen something.
    pub(crate) fn chosen(session: &WizSession) -> Result<Option<Self>, Error> {
        session.get(KEY)
    }

    /// Changes what `update` names and gives the whole as it was stored, so that a theme and a
    /// language that are set at once are both kept.
    pub(crate) async fn update(
        session: &WizSession,
        update: PreferencesUpdate,
    ) -> Result<Self, Error> {
        session
            .transaction(|tx| {
                let mut preferences: Self = tx.get_or_default(KEY)?;
                preferences.apply(update.clone());
                tx.set(KEY, &preferences)?;
                Ok(preferences)
            })
            .await
    }

    fn apply(&mut self, update: PreferencesUpdate) {
        if let Some(theme) = update.theme {
            self.theme = theme;
        }
        if let Some(language) = update.language {
            self.language = language;
        }
        if let Some(notifications) = update.notifications {
            self.notifications = notifications;
        }
    }
}
