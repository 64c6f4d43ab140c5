use std::process::ExitCode;

/// How it ended, for a script. `--help` and `docs/operating.md` list the same numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    NothingThere = 1,
    /// Also what clap ends with.
    Usage = 2,
    Failed = 3,
    /// As a shell reports a program that Ctrl-C ended.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
