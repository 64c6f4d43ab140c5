use serde::{Deserialize, Serialize};

use crate::{
    change::{self, Draft, Op, Update},
    error::Error,
    id,
};

/// A message for the next page that is shown, once.
///
/// As JSON: `{"level":"success","message":"Saved"}`.
///
/// ```
/// use wiz_session::{Flash, FlashLevel};
///
/// fn html(flash: &Flash) -> String {
///     let class = match flash.level() {
///         FlashLevel::Error => "alarm",
///         _ => "note",
///     };
///     format!("<p class={class}>{}</p>", flash.message().replace('<', "&lt;"))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    level: FlashLevel,
    message: String,
}

/// How a message is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FlashLevel {
    /// Something to know.
    Info,
    /// It worked.
    Success,
    /// Something to look at.
    Warning,
    /// It did not work.
    Error,
}

impl Flash {
    pub(crate) fn new(level: FlashLevel, message: String) -> Self {
        Self { level, message }
    }

    /// How it is meant.
    #[must_use]
    pub fn level(&self) -> FlashLevel {
        self.level
    }

    /// Its text.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// The key that holds the messages, next to the application's own keys. `Flask`'s name for it.
pub(crate) const KEY: &str = "_flashes";

/// As stored: with a nonce, so that a request that took some messages removes these and no equal newer ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredFlash {
    nonce: u32,
    #[serde(flatten)]
    flash: Flash,
}

/// Leaves a message, as an operation that replays: messages of other requests stay.
pub(crate) fn add(draft: &mut Draft<'_>, flash: Flash) -> Result<(), Error> {
    let [a, b, c, d, ..] = id::random();
    let left = StoredFlash {
        nonce: u32::from_ne_bytes([a, b, c, d]),
        flash,
    };
    change(draft, move |all| all.push(left.clone()))
}

/// Takes the messages that this request sees, as an operation that replays: newer ones stay.
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

/// The last message takes the key along.
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
