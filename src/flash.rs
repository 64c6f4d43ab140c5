use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    change::{self, Draft, Op, Update},
    error::Error,
    id,
};

/// A message that the next page shows once: [`WizSession::flash`](crate::WizSession::flash) leaves it,
/// [`take_flashes`](crate::WizSession::take_flashes) takes it.
///
/// It displays as its message, and serialises as `{"level":"success","message":"Saved"}`.
///
/// ```
/// use wiz_session::Flash;
///
/// fn html(flash: &Flash) -> String {
///     let text = flash.to_string().replace('&', "&amp;").replace('<', "&lt;");
///     format!(r#"<p class="flash-{}">{text}</p>"#, flash.level())
/// }
///
/// let flash: Flash = serde_json::from_str(r#"{"level":"success","message":"Saved"}"#)?;
/// assert_eq!(html(&flash), r#"<p class="flash-success">Saved</p>"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    level: FlashLevel,
    message: String,
}

/// The severity of a [`Flash`]. It displays, and serialises, as `info`, `success`, `warning` or `error`: the class of an
/// HTML element, for instance.
///
/// ```
/// assert_eq!(wiz_session::FlashLevel::Warning.to_string(), "warning");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FlashLevel {
    /// Neutral information.
    Info,
    /// An action succeeded.
    Success,
    /// Something deserves attention.
    Warning,
    /// An action failed.
    Error,
}

impl fmt::Display for FlashLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Info => "info",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

impl Flash {
    pub(crate) fn new(level: FlashLevel, message: String) -> Self {
        Self { level, message }
    }

    /// The severity.
    #[must_use]
    pub fn level(&self) -> FlashLevel {
        self.level
    }

    /// The text.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Flash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.message)
    }
}

/// The key that holds the messages, next to the application's own keys. Flask uses the same name.
pub(crate) const KEY: &str = "_flashes";

/// A message as stored. The nonce lets a request remove exactly the messages that it took, and no newer equal ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredFlash {
    nonce: u32,
    #[serde(flatten)]
    pub(crate) flash: Flash,
    /// The message as Flask left it, where that says more: another category, or markup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) flask: Option<Box<RawValue>>,
}

impl StoredFlash {
    pub(crate) fn new(flash: Flash) -> Self {
        let [a, b, c, d, ..] = id::random();
        Self {
            nonce: u32::from_ne_bytes([a, b, c, d]),
            flash,
            flask: None,
        }
    }
}

/// Adds a message, as an operation that can be replayed: messages of other requests stay.
pub(crate) fn add(draft: &mut Draft<'_>, flash: Flash) -> Result<(), Error> {
    let left = StoredFlash::new(flash);
    change(draft, move |all| all.push(left.clone()))
}

/// Takes the messages that this request sees, as an operation that can be replayed: newer ones stay.
pub(crate) fn take(draft: &mut Draft<'_>) -> Result<Vec<Flash>, Error> {
    let taken: Vec<StoredFlash> = match draft.raw(KEY) {
        Some(raw) => change::decode(KEY, raw)?,
        None => Vec::new(),
    };
    if !taken.is_empty() {
        let nonces: Vec<u32> = taken.iter().map(|left| left.nonce).collect();
        change(draft, move |all| {
            all.retain(|left| !nonces.contains(&left.nonce));
        })?;
    }
    Ok(taken.into_iter().map(|left| left.flash).collect())
}

/// Changes the list of messages. When it becomes empty the key is deleted.
fn change(
    draft: &mut Draft<'_>,
    change: impl Fn(&mut Vec<StoredFlash>) + Send + Sync + 'static,
) -> Result<(), Error> {
    let step = move |raw: Option<&[u8]>| {
        let (raw, all) = change::updated(KEY, raw, &change)?;
        Ok((!all.is_empty()).then_some(raw))
    };
    let value = step(draft.raw(KEY))?;
    let steps = vec![Update::new(step)];
    draft.apply(KEY, Op::Update { steps, value }).map(drop)
}
