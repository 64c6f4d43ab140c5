use std::sync::LazyLock;

use redis::Cmd;

/// A script that runs on the server, in one step that nothing comes between.
pub(super) struct Script {
    source: &'static str,
    sha: String,
}

macro_rules! scripts {
    ($($name:ident = $($file:literal)+;)+) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!($(include_str!(concat!("lua/", $file))),+)));)+
    };
}

scripts! {
    CREATE = "head.lua" "index.lua" "create.lua";
    REPLACE = "unchanged.lua" "head.lua" "index.lua" "replace.lua";
    REGENERATE = "head.lua" "index.lua" "regenerate.lua";
    ENLIST = "index.lua" "enlist.lua";
    TOUCH = "head.lua" "touch.lua";
    DELETE = "head.lua" "delete.lua";
    EXPIRE = "head.lua" "expire.lua";
}

impl Script {
    fn new(source: &'static str) -> Self {
        let sha = redis::Script::new(source).get_hash().to_owned();
        Self { source, sha }
    }

    /// Runs a script that the server knows.
    pub(super) fn by_name(&self, keys: &[&str], arguments: &[&[u8]]) -> Cmd {
        command("EVALSHA", &self.sha, keys, arguments)
    }

    /// Runs it and makes the server know it.
    pub(super) fn in_full(&self, keys: &[&str], arguments: &[&[u8]]) -> Cmd {
        command("EVAL", self.source, keys, arguments)
    }
}

fn command(verb: &str, script: &str, keys: &[&str], arguments: &[&[u8]]) -> Cmd {
    let bytes = keys.iter().map(|key| key.len()).sum::<usize>()
        + arguments
            .iter()
            .map(|argument| argument.len())
            .sum::<usize>();
    let words = 3 + keys.len() + arguments.len();
    let mut command = Cmd::with_capacity(words, verb.len() + script.len() + 1 + bytes);
    command.arg(verb).arg(script).arg(keys.len());
    command.arg(keys).arg(arguments);
    command
}
