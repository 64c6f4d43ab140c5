use std::time::SystemTime;

use futures_util::{StreamExt as _, stream};
use wiz_session::{
    Handle, Record,
    store::{Created, Cursor, Replaced},
};

use super::{
    super::{Damaged, show::State},
    counts::{Counts, Fate},
    newer::{is_same, judge},
    position::Position,
};
use crate::{
    args::CopyOptions, failure::Failure, interrupt::Interrupt, progress::Progress, store::Store,
};

/// One run of `copy`.
pub(super) struct Copy<'a> {
    pub(super) from: &'a Store,
    pub(super) to: &'a Store,
    pub(super) options: &'a CopyOptions,
}

impl Copy<'_> {
    pub(super) async fn all(
        &self,
        copied: &mut Counts,
        damaged: &mut Damaged,
    ) -> Result<(), Failure> {
        let interrupt = Interrupt::watch();
        let progress = Progress::of_copy(self.from).await?;
        let mut position = Position::read(self.options.after.as_deref());
        loop {
            let next = match &position {
                Position::Copying(after) => {
                    let after = after.as_ref();
                    self.copy_page(after, copied, damaged, &progress).await?
                }
                Position::Ending(after) => self.end_page(after.as_ref(), copied).await?,
            };
            let Some(next) = next else {
                copied.cursor = None;
                return Ok(());
            };
            copied.cursor = Some(next.to_string());
            position = next;
            if interrupt.came() {
                copied.interrupted = true;
                return Ok(());
            }
        }
    }

    async fn copy_page(
        &self,
        after: Option<&Cursor>,
        copied: &mut Counts,
        damaged: &mut Damaged,
        progress: &Progress,
    ) -> Result<Option<Position>, Failure> {
        let page = self.from.scan(after, self.options.batch as usize).await?;
        let now = SystemTime::now();
        progress.advance(page.sessions.len() as u64);
        let mut sessions = Vec::new();
        for (handle, record) in page.sessions {
            match record {
                Err(_) => {
                    copied.damaged += 1;
                    damaged.add(handle);
                }
                Ok(record) if record.expires_at() <= now => copied.count(Fate::Expired),
                Ok(record) => sessions.push((handle, record)),
            }
        }
        let writes = sessions
            .into_iter()
            .map(async |(handle, record)| self.copy(handle, &record).await);
        let mut fates = stream::iter(writes).buffer_unordered(self.to.calls_at_once());
        while let Some(fate) = fates.next().await {
            copied.count(fate?);
        }
        Ok(match page.next {
            Some(cursor) => Some(Position::Copying(Some(cursor))),
            None => self.options.mirror.then_some(Position::Ending(None)),
        })
    }

    /// Each step compares the version, so a session that the application is using meanwhile loses nothing.
    async fn copy(&self, handle: Handle, record: &Record) -> Result<Fate, Failure> {
        const ATTEMPTS: usize = 20;
        for _ in 0..ATTEMPTS {
            if !self.options.dry_run && self.to.create(handle, record).await? == Created::Created {
                return Ok(Fate::Created);
            }
            let Some(there) = self.to.load(handle).await? else {
                match self.options.dry_run {
                    true => return Ok(Fate::Created),
                    // It has ended since.
                    false => continue,
                }
            };
            let fate = judge(record, &there, self.options.mirror)?;
            if fate != Fate::Replaced || self.options.dry_run {
                return Ok(fate);
            }
            if is_same(record, &there) {
                // Nothing but its end differs, and the version stays.
                self.to.touch(handle, record.expires_at()).await?;
                return Ok(fate);
            }
            let replaced = self.to.replace(handle, there.version(), record).await?;
            if matches!(replaced, Replaced::Stored(_)) {
                return Ok(fate);
            }
        }
        Err(Failure::of_a_busy_session())
    }

    /// Ends what FROM does not have any more. Tombstones expire by themselves.
    async fn end_page(
        &self,
        after: Option<&Cursor>,
        copied: &mut Counts,
    ) -> Result<Option<Position>, Failure> {
        let page = self.to.scan(after, self.options.batch as usize).await?;
        let now = SystemTime::now();
        let live = page.sessions.into_iter().filter_map(|(handle, record)| {
            let is_live = record.is_ok_and(|record| State::of(&record, now) == State::Live);
            is_live.then_some(handle)
        });
        let live: Vec<Handle> = live.collect();
        let ends = live.into_iter().map(async |handle| {
            let source = self.from.load(handle).await?;
            if source.is_some_and(|source| State::of(&source, now) == State::Live) {
                return Ok(None);
            }
            let ends = self.options.dry_run || self.to.delete(handle).await?;
            Ok::<_, Failure>(ends.then_some(Fate::Ended))
        });
        let mut ends = stream::iter(ends).buffer_unordered(self.to.calls_at_once());
        while let Some(ended) = ends.next().await {
            ended?.into_iter().for_each(|fate| copied.count(fate));
        }
        Ok(page.next.map(|cursor| Position::Ending(Some(cursor))))
    }
}
