//! `copy`: all sessions of one store into another.

mod counts;
mod newer;
mod passes;
mod position;

use self::{counts::Counts, passes::Copy};
use super::Damaged;
use crate::{args::CopyOptions, exit::Exit, failure::Failure, screen::Screen, store::Store};

pub(crate) async fn run(
    from: &Store,
    to: &Store,
    options: &CopyOptions,
    screen: Screen,
) -> Result<Exit, Failure> {
    let copy = Copy { from, to, options };
    let mut copied = Counts::new(options.dry_run);
    let mut damaged = Damaged::default();
    let copying = copy.all(&mut copied, &mut damaged).await;
    damaged.tell();
    if let Err(failure) = copying {
        let how = copied.cursor.as_ref().map(counts::resume);
        let failure = match copied.is_empty() {
            true => failure,
            false => failure.after(copied.in_words()),
        };
        return Err(match how {
            Some(how) => failure.resumed_by(&how),
            None => failure,
        });
    }
    screen.show(&copied)?;
    Ok(match copied {
        Counts {
            interrupted: true, ..
        } => Exit::Interrupted,
        Counts { damaged: 1.., .. } => Exit::Failed,
        _ => Exit::Done,
    })
}
