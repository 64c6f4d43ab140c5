//! The whole session, for those who watch it.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use wiz_session::flask::MIRROR_KEY;
use wiz_session::{Error, WizSession};

/// The values as they are stored, to the last digit, without what the bridge to Flask remembers.
pub(crate) fn values(session: &WizSession) -> Result<BTreeMap<String, Box<RawValue>>, Error> {
    let keys = session.keys().into_iter().filter(|key| key != MIRROR_KEY);
    let values = keys.map(|key| Ok(session.get(&key)?.map(|value| (key, value))));
    let all: Result<Vec<_>, Error> = values.collect();
    Ok(all?.into_iter().flatten().collect())
}

/// The same in one line of JSON.
pub(crate) fn json(session: &WizSession) -> String {
    let values = values(session).unwrap_or_default();
    serde_json::to_string(&values).expect("what is stored is JSON")
}
