use std::sync::LazyLock;

use redis::Cmd;

/// A Lua script, which the server runs atomically.
pub(super) struct Script {
    on_server: Source,
    /// There a channel belongs to the node of its key: what is published does not go to all nodes.
    in_cluster: Source,
}

/// What the server is sent.
pub(super) struct Source {
    text: String,
    sha: String,
}

macro_rules! scripts {
    ($($name:ident = $($file:literal)+;)+) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!($(include_str!(concat!("lua/", $file))),+)));)+
    };
}

scripts! {
    CREATE = "index.lua" "create.lua";
    REPLACE = "unchanged.lua" "head.lua" "index.lua" "replace.lua";
    REGENERATE = "head.lua" "index.lua" "regenerate.lua";
    INDEX_ADD = "index.lua" "index_add.lua";
    INDEX_READ = "index_read.lua";
    TOUCH = "head.lua" "touch.lua";
    DELETE = "head.lua" "delete.lua";
    EXPIRE = "head.lua" "expire.lua";
}

#[cfg(feature = "flask")]
scripts! {
    GET_BLOB = "get_blob.lua";
    INSERT_BLOB = "insert_blob.lua";
    SWAP_BLOB = "swap_blob.lua";
    REMOVE_BLOB = "remove_blob.lua";
}

impl Script {
    fn new(text: &str) -> Self {
        Self {
            on_server: Source::new(text.to_owned()),
            in_cluster: Source::new(text.replace("'PUBLISH'", "'SPUBLISH'")),
        }
    }

    pub(super) fn source(&self, is_cluster: bool) -> &Source {
        match is_cluster {
            true => &self.in_cluster,
            false => &self.on_server,
        }
    }
}

impl Source {
    fn new(text: String) -> Self {
        let sha = redis::Script::new(&text).get_hash().to_owned();
        Self { text, sha }
    }

    /// Runs a script that the server has cached.
    pub(super) fn by_hash<'a>(
        &self,
        keys: impl Iterator<Item = &'a str> + Clone,
        arguments: &[&[u8]],
    ) -> Cmd {
        command("EVALSHA", &self.sha, keys, arguments)
    }

    /// Sends the source along, which the server then caches.
    pub(super) fn with_source<'a>(
        &self,
        keys: impl Iterator<Item = &'a str> + Clone,
        arguments: &[&[u8]],
    ) -> Cmd {
        command("EVAL", &self.text, keys, arguments)
    }
}

fn command<'a>(
    method: &str,
    script: &str,
    keys: impl Iterator<Item = &'a str> + Clone,
    arguments: &[&[u8]],
) -> Cmd {
    let (count, bytes) = keys.clone().fold((0_usize, 1), |(count, bytes), key| {
        (count + 1, bytes + key.len())
    });
    let bytes = bytes + method.len() + script.len();
    let bytes = bytes + arguments.iter().map(|word| word.len()).sum::<usize>();
    let mut command = Cmd::with_capacity(3 + count + arguments.len(), bytes);
    command.arg(method).arg(script).arg(count);
    for key in keys {
        command.arg(key);
    }
    command.arg(arguments);
    command
}
