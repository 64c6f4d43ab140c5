use std::time::Duration;

use clap::{Args, Parser, Subcommand, error::Error};

use crate::exit::Exit;

/// Looks after the sessions of an application that uses the crate wiz-session
#[derive(Debug, Parser)]
#[command(name = "wiz-session", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Where the sessions are, see below
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "WIZ_SESSION_STORE",
        hide_env_values = true
    )]
    pub(crate) store: Option<String>,
    /// The table of a SQL store, if it is not `wiz_sessions`
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) table: Option<String>,
    /// How the names of a Redis store's keys begin, if not with `wiz:`
    #[arg(long, global = true)]
    pub(crate) prefix: Option<String>,
    /// How many seconds to wait for each answer of the store
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        default_value = "60",
        value_parser = seconds
    )]
    pub(crate) timeout: Duration,
    /// Answer in JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key that signs cookies
    #[command(after_help = AFTER_KEY_HELP)]
    Key,
    #[command(flatten)]
    OnAStore(StoreCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Create the table of a SQL store if it is not there
    Migrate,
    /// Delete what has expired, until nothing is left of it
    #[command(after_help = AFTER_SWEEP_HELP)]
    Sweep {
        /// How many to delete at a time; the database may keep others waiting meanwhile
        #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
        batch: u32,
    },
    /// Count the sessions that live, of users and of anonymous visitors
    Count,
    /// List the sessions of a user that live, the latest login first
    List {
        /// As the application gave it to `log_in`
        user: String,
    },
    /// Show which users have the most sessions
    #[command(after_help = AFTER_USERS_HELP)]
    Users {
        /// How many users to show
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        most: u32,
    },
    /// Show the largest sessions
    Top {
        /// How many sessions to show
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        most: u32,
    },
    /// Show one session: whose, since when, until when, and what it holds, by names and sizes
    #[command(after_help = AFTER_SHOW_HELP)]
    Show {
        /// 32 hexadecimal digits, as `list` shows them
        handle: String,
        /// Show the values too: they are the user's
        #[arg(long)]
        values: bool,
    },
    /// End one session
    Revoke {
        /// 32 hexadecimal digits, as `list` shows them
        handle: String,
    },
    /// End all sessions of a user
    RevokeUser {
        /// As the application gave it to `log_in`
        user: String,
    },
    /// Copy all sessions to another store
    #[command(after_help = AFTER_COPY_HELP)]
    Copy(CopyOptions),
}

#[derive(Debug, Args)]
pub(crate) struct CopyOptions {
    /// The store to copy from, a URL as for --store; --table and --prefix are of this one
    #[arg(env = "WIZ_SESSION_FROM", hide_env_values = true)]
    pub(crate) from: String,
    /// The store to copy to, which has its table already
    #[arg(env = "WIZ_SESSION_TO", hide_env_values = true)]
    pub(crate) to: String,
    /// The table of TO, if it is not `wiz_sessions`
    #[arg(long, value_name = "NAME")]
    pub(crate) to_table: Option<String>,
    /// How the names of TO's keys begin, if not with `wiz:`
    #[arg(long, value_name = "PREFIX")]
    pub(crate) to_prefix: Option<String>,
    /// Make TO the same as FROM: FROM's records win, and what FROM does not have ends in TO
    #[arg(long)]
    pub(crate) mirror: bool,
    /// Change nothing, and say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Resume where an earlier copy stopped, which said so
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<String>,
    /// How many to read at a time
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) batch: u32,
}

impl CopyOptions {
    /// The options of both stores.
    pub(crate) fn stores(&self, options: &Options) -> (Options, Options) {
        let from = Options {
            store: Some(self.from.clone()),
            ..options.clone()
        };
        let to = Options {
            store: Some(self.to.clone()),
            table: self.to_table.clone(),
            prefix: self.to_prefix.clone(),
            ..options.clone()
        };
        (from, to)
    }
}

impl Cli {
    /// What was asked for; or, if that was the help or is not clear, an end.
    pub(crate) fn read() -> Result<Self, Exit> {
        Self::try_parse().map_err(|error| {
            // There is nobody to tell if that fails.
            let _ = tell(&error);
            match error.use_stderr() {
                true => Exit::Usage,
                false => Exit::Done,
            }
        })
    }
}

/// Clap quotes what it does not expect. That may be a password in a URL, or a cookie in a handle's place.
fn tell(error: &Error) -> std::io::Result<()> {
    if !error.use_stderr() {
        return error.print();
    }
    let plain = error.render().to_string();
    let hidden = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .filter(|argument| may_be_secret(argument))
        .fold(plain.clone(), |text, secret| text.replace(&secret, "…"));
    match hidden == plain {
        true => error.print(),
        false => std::io::Write::write_all(&mut std::io::stderr(), hidden.as_bytes()),
    }
}

/// An id is 32 bytes long, a cookie's value more.
fn may_be_secret(argument: &str) -> bool {
    argument.len() >= 32 || argument.contains("://")
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u32>() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds.into())),
        _ => Err("it takes a whole number of seconds, 1 or more".to_owned()),
    }
}

const AFTER_HELP: &str = "\
Stores:
  sqlite:PATH
  postgres://USER:PASSWORD@HOST/DATABASE
  mysql://USER:PASSWORD@HOST/DATABASE
  redis://USER:PASSWORD@HOST:PORT/NUMBER       also valkey://, redis+unix:///SOCKET
  redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME
  redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT

  Others on the machine see the arguments of a program: put a URL with a password into the
  environment.

Examples:
  export SESSION_KEY=$(wiz-session key)
  export WIZ_SESSION_STORE=postgres://app:password@db.internal/app
  wiz-session migrate
  wiz-session sweep --batch 500
  wiz-session list alice
  wiz-session revoke-user alice
  wiz-session list alice --json | jq -r '.[].handle'
  wiz-session copy sqlite:sessions.db redis://cache.internal

Exit codes:
  0    done
  1    there is no such session, for `show` and `revoke`
  2    the arguments make no sense
  3    the store failed, `copy` left out what it could not read, or the answer could not be written
  130  interrupted by Ctrl-C";

const AFTER_KEY_HELP: &str = "\
It is 64 random bytes in base64. It signs the cookies of all sessions: keep it as you keep a
password, the same over restarts and on all servers. In the application, with the crate base64:

  use base64::prelude::{BASE64_STANDARD, Engine as _};

  let bytes = BASE64_STANDARD.decode(std::env::var(\"SESSION_KEY\")?)?;
  let key = wiz_session::Key::try_from(&bytes[..])?;

Examples:
  export SESSION_KEY=$(wiz-session key)
  (umask 077; echo \"SESSION_KEY=$(wiz-session key)\" > /etc/app/session.env)";

const AFTER_SWEEP_HELP: &str = "\
On a terminal it shows how far it is. Ctrl-C stops after the batch at hand and says how many were
deleted; a second one stops at once.

Examples:
  wiz-session sweep --store sqlite:/var/lib/app/sessions.db
  wiz-session sweep --batch 200 --json";

const AFTER_USERS_HELP: &str = "\
It reads all sessions once, page by page, and remembers up to 100,000 users at a time. Where more are
logged in, one who has less than a hundred-thousandth of all sessions may be missing. The numbers
shown are exact.

Examples:
  wiz-session users --most 5
  wiz-session users --json | jq -r '.[] | select(.sessions > 50) | .user'";

const AFTER_COPY_HELP: &str = "\
A session that TO does not have is created there. Of one that both have the newer record wins, or
with --mirror that of FROM. Expired sessions are left out. Copying again copies what has changed.

While the application still uses FROM, sessions change that were copied already, and end. So copy
once while it runs; then stop it, copy again with --mirror, and start it on TO. Do not use --mirror
once the application uses TO: it ends the sessions that began there.

On a terminal it shows how far it is. Ctrl-C stops after the batch at hand and says how to resume; a
second one stops at once. Others see the arguments of a program: put URLs with a password into the
environment.

Examples:
  wiz-session migrate --store postgres://db.internal/app
  wiz-session copy sqlite:sessions.db postgres://db.internal/app --dry-run
  wiz-session copy sqlite:sessions.db postgres://db.internal/app
  WIZ_SESSION_FROM=redis://:password@a WIZ_SESSION_TO=redis://:password@b wiz-session copy --mirror";

const AFTER_SHOW_HELP: &str = "\
The state is `live`, `expired` (not swept yet) or `moved`: for 30 seconds after a login an old handle
remains, without user or values. Only a live session ends with exit code 0.

Examples:
  wiz-session show 5f0c8a4e9b1d27360a8c4d5e6f708192
  wiz-session show 5f0c8a4e9b1d27360a8c4d5e6f708192 --values --json | jq .values.cart.value";
