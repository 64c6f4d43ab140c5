//! `wiz-session`: looks after the sessions of an application from a shell, on any store that comes with the crate.
//!
//! `cargo install wiz-session --features cli`, then `wiz-session --help`. The guide has a page on it, `docs/operating.md`.

mod address;
mod args;
mod commands;
mod exit;
mod failure;
mod frequent;
mod interrupt;
mod progress;
mod screen;
mod sqlite;
mod store;
mod text;

use std::process::ExitCode;

use crate::{
    args::{Cli, Command, CopyOptions, Options, StoreCommand},
    exit::Exit,
    failure::Failure,
    screen::Screen,
    store::Store,
};

fn main() -> ExitCode {
    let ended = Cli::read().map_or_else(Ok, run);
    ended.unwrap_or_else(|failure| failure.tell()).into()
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    let screen = Screen::new(cli.options.json);
    match cli.command {
        Command::Key => commands::key::run(screen),
        Command::OnAStore(command) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = runtime.map_err(|error| Failure::of_system("no runtime", &error))?;
            runtime.block_on(run_on_a_store(command, &cli.options, screen))
        }
    }
}

async fn run_on_a_store(
    command: StoreCommand,
    options: &Options,
    screen: Screen,
) -> Result<Exit, Failure> {
    if let StoreCommand::Copy(copy) = &command {
        return run_copy(copy, options, screen).await;
    }
    let store = Store::open(options, matches!(command, StoreCommand::Migrate)).await?;
    let ended = match command {
        StoreCommand::Copy(_) => unreachable!("it has two stores"),
        StoreCommand::Migrate => commands::migrate::run(&store, screen).await,
        StoreCommand::Sweep { batch } => commands::sweep::run(&store, batch, screen).await,
        StoreCommand::Count => commands::count::run(&store, screen).await,
        StoreCommand::List { user } => commands::list::run(&store, &user, screen).await,
        StoreCommand::Users { most } => commands::users::run(&store, most as usize, screen).await,
        StoreCommand::Top { most } => commands::top::run(&store, most as usize, screen).await,
        StoreCommand::Show { handle, values } => {
            commands::show::run(&store, &handle, values, screen).await
        }
        StoreCommand::Revoke { handle } => commands::revoke::one(&store, &handle, screen).await,
        StoreCommand::RevokeUser { user } => commands::revoke::all(&store, &user, screen).await,
    };
    store.close().await;
    ended
}

async fn run_copy(copy: &CopyOptions, options: &Options, screen: Screen) -> Result<Exit, Failure> {
    let (from, to) = copy.stores(options);
    if (&from.store, &from.table, &from.prefix) == (&to.store, &to.table, &to.prefix) {
        return Err(Failure::of_usage(
            "FROM and TO are the same store",
            "name two, or two tables or prefixes of one",
        ));
    }
    let (from, to) = (
        Store::open(&from, false).await?,
        Store::open(&to, false).await?,
    );
    let ended = commands::copy::run(&from, &to, copy, screen).await;
    from.close().await;
    to.close().await;
    ended
}
