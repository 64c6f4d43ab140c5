use std::{
    cell::RefCell,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// The tool with the arguments that all its runs share. It remembers all that was printed.
#[derive(Debug, Default)]
pub(crate) struct Tool {
    store: Option<String>,
    shared: Vec<String>,
    printed: RefCell<String>,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Tool {
    /// Told by the environment where the sessions are.
    pub(crate) fn on(store: &str) -> Self {
        Self {
            store: Some(store.to_owned()),
            ..Self::default()
        }
    }

    pub(crate) fn with(mut self, shared: &[&str]) -> Self {
        self.shared.extend(shared.iter().copied().map(String::from));
        self
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wiz-session"));
        command.args(arguments).args(&self.shared);
        command.stdin(Stdio::null()).env_remove("WIZ_SESSION_STORE");
        if let Some(store) = &self.store {
            command.env("WIZ_SESSION_STORE", store);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().expect("the tool runs");
        let ended = Ended::from(output);
        assert!(!ended.err.contains("panicked"), "{ended:?}");
        *self.printed.borrow_mut() += &format!("{}{}", ended.out, ended.err);
        ended
    }

    /// Copies this store into another.
    pub(crate) fn copy_to(&self, other: &Self, arguments: &[&str]) -> Ended {
        let output = self.copy_command(other, arguments).output();
        Ended::from(output.expect("the tool runs"))
    }

    /// The options that name the table or the prefix of the second store begin with `--to-`.
    pub(crate) fn copy_command(&self, other: &Self, arguments: &[&str]) -> Command {
        let mut command = self.command(&["copy"]);
        command.args(arguments);
        for option in &other.shared {
            command.arg(option.replace("--", "--to-"));
        }
        command.env("WIZ_SESSION_FROM", self.store.as_deref().expect("a store"));
        command.env("WIZ_SESSION_TO", other.store.as_deref().expect("a store"));
        command
    }

    pub(crate) fn printed(&self) -> String {
        self.printed.borrow().clone()
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("it prints UTF-8"),
            err: String::from_utf8(output.stderr).expect("it prints UTF-8"),
        }
    }
}

impl Ended {
    /// What it answered, and with no word on the standard error.
    pub(crate) fn done(&self) -> &str {
        assert_eq!((self.code, &*self.err), (Some(0), ""), "{self:?}");
        self.out.strip_suffix('\n').expect("a whole line")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.done()).expect("an answer in JSON")
    }

    /// That it ended with this code, and said so and what to do about it.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, what: &str, advice: &str) {
        assert_eq!((self.code, &*self.out), (Some(code), ""), "{self:?}");
        let (first, rest) = self.err.split_once('\n').expect("a line");
        assert!(first.starts_with("wiz-session: "), "{self:?}");
        assert!(first.contains(what), "{what}: {self:?}");
        assert!(rest.contains(advice), "{advice}: {self:?}");
    }

    #[track_caller]
    pub(crate) fn tells_there_is_no_session(&self) {
        let told = "wiz-session: there is no session with this handle\n";
        assert_eq!(
            (self.code, &*self.out, &*self.err),
            (Some(1), "", told),
            "{self:?}"
        );
    }
}
