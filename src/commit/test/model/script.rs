/// What the handler of a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Script {
    /// Nothing but to use its session.
    Reads,
    Pushes,
    /// In the middle of its work.
    Saves,
    /// At the end of it.
    SavesLast,
    Transacts,
    LogsIn,
    LogsInAndSaves,
    Regenerates,
    Clears,
    /// And begins another.
    Restarts,
    SavesAndClears,
}
use Script::*;

#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// One of its two tokens to a list.
    Push(usize),
    /// By a transaction, the first token.
    Transact,
    LogIn,
    Regenerate,
    Clear,
    Save,
}
use Step::*;

impl Script {
    pub(super) const ALL: [Self; 11] = [
        Reads,
        Pushes,
        Saves,
        SavesLast,
        Transacts,
        LogsIn,
        LogsInAndSaves,
        Regenerates,
        Clears,
        Restarts,
        SavesAndClears,
    ];

    pub(super) fn steps(self) -> &'static [Step] {
        match self {
            Reads => &[],
            Pushes => &[Push(0)],
            Saves => &[Push(0), Save, Push(1)],
            SavesLast => &[Push(0), Save],
            Transacts => &[Transact],
            LogsIn => &[LogIn, Push(0)],
            LogsInAndSaves => &[LogIn, Push(0), Save, Push(1)],
            Regenerates => &[Regenerate, Push(0)],
            Clears => &[Clear],
            Restarts => &[Clear, Push(0)],
            SavesAndClears => &[Push(0), Save, Clear],
        }
    }
}

/// Under which the tokens are.
pub(super) const LIST: &str = "list";

/// Names a change: no other has it.
pub(super) type Token = u8;

/// Those of a client.
pub(super) fn tokens_of(client: usize) -> [Token; 2] {
    let first = 2 * u8::try_from(client).expect("few clients");
    [first, first + 1]
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Tokens(u8);

impl Tokens {
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Answers whether it was not there.
    pub(super) fn add(&mut self, token: Token) -> bool {
        let is_new = self.0 & (1 << token) == 0;
        self.0 |= 1 << token;
        is_new
    }

    pub(super) fn extend(&mut self, others: Self) {
        self.0 |= others.0;
    }

    pub(super) fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    pub(super) fn are_all_in(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    pub(super) fn has_some_of(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}
