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
    CREATE = "write.lua" "create.lua";
    REPLACE = "write.lua" "replace.lua";
    REGENERATE = "write.lua" "regenerate.lua";
    ENLIST = "write.lua" "enlist.lua";
    TOUCH = "touch.lua";
    DELETE = "delete.lua";
    EXPIRE = "expire.lua";
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
    let mut command = redis::cmd(verb);
    command.arg(script).arg(keys.len()).arg(keys).arg(arguments);
    command
}
