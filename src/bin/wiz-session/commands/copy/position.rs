use std::fmt;

use wiz_session::store::Cursor;

/// How far a copy is: first all of FROM is copied; then, in a mirror, what only TO has is ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Position {
    Copying(Option<Cursor>),
    Ending(Option<Cursor>),
}

impl Position {
    const ENDING: &str = "end:";

    pub(super) fn read(text: Option<&str>) -> Self {
        let Some(text) = text else {
            return Self::Copying(None);
        };
        match text.strip_prefix(Self::ENDING) {
            Some("") => Self::Ending(None),
            Some(cursor) => Self::Ending(Some(Cursor::new(cursor))),
            None => Self::Copying(Some(Cursor::new(text))),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Copying(None) => Ok(()),
            Self::Copying(Some(cursor)) => cursor.fmt(f),
            Self::Ending(None) => f.write_str(Self::ENDING),
            Self::Ending(Some(cursor)) => write!(f, "{}{cursor}", Self::ENDING),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_a_text_and_back() {
        for (text, position) in [
            ("17", Position::Copying(Some(Cursor::new("17")))),
            ("5461:17", Position::Copying(Some(Cursor::new("5461:17")))),
            ("end:", Position::Ending(None)),
            (
                "end:5461:17",
                Position::Ending(Some(Cursor::new("5461:17"))),
            ),
        ] {
            assert_eq!(Position::read(Some(text)), position);
            assert_eq!(position.to_string(), text);
        }
        assert_eq!(Position::read(None), Position::Copying(None));
    }
}
