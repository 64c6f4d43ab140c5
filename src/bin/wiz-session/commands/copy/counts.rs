use std::fmt;

use serde::Serialize;

use crate::text::counted;

/// What became of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Created,
    Replaced,
    /// TO has the same record already.
    Same,
    /// TO has a newer record.
    Kept,
    Expired,
    Ended,
}

/// What a copy did, and where it stopped.
#[derive(Debug, Default, Serialize)]
pub(super) struct Counts {
    created: u64,
    replaced: u64,
    unchanged: u64,
    kept: u64,
    expired: u64,
    ended: u64,
    pub(super) damaged: u64,
    pub(super) dry_run: bool,
    pub(super) interrupted: bool,
    /// Where to resume.
    pub(super) cursor: Option<String>,
}

impl Counts {
    pub(super) fn new(dry_run: bool) -> Self {
        Self {
            dry_run,
            ..Self::default()
        }
    }

    pub(super) fn count(&mut self, fate: Fate) {
        let count = match fate {
            Fate::Created => &mut self.created,
            Fate::Replaced => &mut self.replaced,
            Fate::Same => &mut self.unchanged,
            Fate::Kept => &mut self.kept,
            Fate::Expired => &mut self.expired,
            Fate::Ended => &mut self.ended,
        };
        *count += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_words().is_empty()
    }

    /// What there was, in the order in which it matters.
    pub(super) fn in_words(&self) -> String {
        let counts = [
            (self.created, "copied"),
            (self.replaced, "brought up to date"),
            (self.unchanged, "there already"),
            (self.kept, "newer in TO and kept"),
            (self.expired, "expired and left out"),
            (self.ended, "ended in TO"),
            (self.damaged, "unreadable and left out"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts = counts.map(|(count, what)| format!("{} {what}", counted(*count, "session")));
        counts.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_empty() {
            true => f.write_str("no session to copy")?,
            false => f.write_str(&self.in_words())?,
        }
        if self.dry_run {
            f.write_str("; nothing was changed, as this was a dry run")?;
        }
        match &self.cursor {
            Some(cursor) => write!(f, "\ninterrupted: {}", resume(cursor)),
            None => Ok(()),
        }
    }
}

pub(super) fn resume(cursor: impl fmt::Display) -> String {
    format!("resume by the same command with `--after {cursor}`")
}
