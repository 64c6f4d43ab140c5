//! Flash messages: Flask has pairs of a category and a message, a session has levels.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    data::Raw,
    json::{self, Way},
};
use crate::flash::{Flash, FlashLevel, StoredFlash};

pub(super) use crate::flash::KEY;

/// The messages as a session stores them. `None` if they are no pairs.
pub(super) fn from_flask(text: &str) -> Option<Raw> {
    let pairs: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let stored: Option<Vec<_>> = pairs.into_iter().map(stored).collect();
    serde_json::value::to_raw_value(&stored?).ok()
}

/// The messages as Flask writes them. `None` if something else is stored in their place.
pub(super) fn to_flask(text: &str) -> Option<String> {
    let stored: Vec<StoredFlash> = serde_json::from_str(text).ok()?;
    let pairs: Option<Vec<_>> = stored.iter().map(pair).collect();
    Some(format!("[{}]", pairs?.join(",")))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Pair {
    Tuple {
        #[serde(rename = " t")]
        pair: (String, Message),
    },
    List((String, Message)),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Message {
    Text(String),
    Markup {
        #[serde(rename = " m")]
        text: String,
    },
}

fn stored(written: &RawValue) -> Option<StoredFlash> {
    let (Pair::Tuple { pair } | Pair::List(pair)) = serde_json::from_str(written.get()).ok()?;
    let (category, Message::Text(text) | Message::Markup { text }) = pair;
    let mut stored = StoredFlash::new(Flash::new(level(&category), text));
    if pair_of(&stored).as_deref() != Some(written.get()) {
        stored.flask = Some(written.to_owned());
    }
    Some(stored)
}

/// The names that Flask's documentation and Bootstrap use.
fn level(category: &str) -> FlashLevel {
    match category {
        "success" => FlashLevel::Success,
        "warning" => FlashLevel::Warning,
        "error" | "danger" => FlashLevel::Error,
        _ => FlashLevel::Info,
    }
}

fn pair(stored: &StoredFlash) -> Option<String> {
    match &stored.flask {
        Some(written) => json::value(written.get(), Way::ToFlask),
        None => pair_of(stored),
    }
}

fn pair_of(stored: &StoredFlash) -> Option<String> {
    let pair = (stored.flash.level(), stored.flash.message());
    let pair = serde_json::to_string(&pair).ok()?;
    json::value(&format!(r#"{{" t":{pair}}}"#), Way::ToFlask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_a_session() {
        for text in [
            "[]",
            r#"[{" t":["success","Saved"]}]"#,
            r#"[{" t":["message","\uc548\ub155"]},{" t":["danger",{" m":"<b>no</b>"}]}]"#,
            r#"[["error","a list"]]"#,
        ] {
            let kept = from_flask(text).unwrap();
            assert_eq!(to_flask(kept.get()).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_are_no_messages_is_no_list_of_them() {
        for text in [
            "1",
            "[1]",
            r#"[{" t":["a"]}]"#,
            r#"[{" t":["a",1]}]"#,
            r#"[{" t":["a","b","c"]}]"#,
        ] {
            assert!(from_flask(text).is_none(), "{text}");
        }
        assert_eq!(to_flask("[1]"), None);
    }

    #[test]
    fn a_category_is_a_level() {
        let text = r#"[{" t":["danger",{" m":"<b>no</b>"}]},{" t":["x","y"]}]"#;
        let kept: Vec<StoredFlash> = serde_json::from_str(from_flask(text).unwrap().get()).unwrap();
        assert_eq!(
            kept[0].flash,
            Flash::new(FlashLevel::Error, "<b>no</b>".to_owned())
        );
        assert_eq!(kept[1].flash, Flash::new(FlashLevel::Info, "y".to_owned()));
    }
}
