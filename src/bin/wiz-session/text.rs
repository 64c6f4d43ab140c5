use std::{
    borrow::Cow,
    fmt::{self, Display},
    time::SystemTime,
};

use serde::{Serialize, Serializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A text of somebody else's, fit for a terminal: what would move the cursor or colour the screen is written out.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    let special = |c: char| c.is_control();
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().map(|c| match special(c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    });
    Cow::Owned(escaped.collect())
}

/// A time in UTC, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) SystemTime);

impl Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = OffsetDateTime::from(self.0).replace_nanosecond(0);
        let text = seconds.ok().and_then(|time| time.format(&Rfc3339).ok());
        // A record's times all lie in the years from 1970 to 9999.
        f.pad(text.as_deref().unwrap_or("?"))
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `1 session`, `2 sessions`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn nothing_of_a_text_reaches_into_the_terminal() {
        assert_eq!(plain("앨리스 <a@b.c>"), "앨리스 <a@b.c>");
        assert_eq!(plain("a\x1b[2J\u{9b}1m\n"), "a\\u{1b}[2J\\u{9b}1m\\n");
    }

    #[test]
    fn times_are_utc_to_the_second() {
        let time = |millis| Moment(UNIX_EPOCH + Duration::from_millis(millis)).to_string();
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(1_709_251_199_999), "2024-02-29T23:59:59Z");
        assert_eq!(time(253_402_300_799_999), "9999-12-31T23:59:59Z");
    }
}
