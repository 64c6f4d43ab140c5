//! What a store keeps that has no room for all of it.

use wiz_session::Handle;

use crate::{
    faults::Fault::{self, *},
    rows::Row,
};

pub(crate) fn row(fault: Fault, row: Row) -> Row {
    Row {
        version: version(fault, row.version),
        end: end(fault, row.end),
        user: row
            .user
            .filter(|user| fault != EmptyUserIsNobody || !user.is_empty())
            .map(|name| user(fault, &name)),
        is_tombstone: row.is_tombstone,
        json: json(fault, row.json),
    }
}

fn version(fault: Fault, version: u64) -> u64 {
    match fault {
        VersionInU8 => u64::from(version as u8),
        VersionInU16 => u64::from(version as u16),
        VersionInI32 => version.min(i32::MAX as u64),
        VersionInU32 => u64::from(version as u32),
        VersionInF64 => version as f64 as u64,
        _ => version,
    }
}

/// Milliseconds since 1970.
pub(crate) fn end(fault: Fault, end: u64) -> u64 {
    let seconds = end / 1_000;
    match fault {
        EndInNanoseconds => {
            let nanoseconds = (end as i64).wrapping_mul(1_000_000);
            nanoseconds.max(0) as u64 / 1_000_000
        }
        EndInU32Seconds => u64::from(seconds as u32) * 1_000 + end % 1_000,
        EndInI32Seconds => seconds.min(i32::MAX as u64) * 1_000 + end % 1_000,
        EndInSeconds => seconds * 1_000,
        EndInF32 => end as f32 as u64,
        _ => end,
    }
}

pub(crate) fn handle(fault: Fault, handle: Handle) -> Handle {
    let mut bytes = *handle.as_bytes();
    match fault {
        HandleOf8Bytes => bytes[8..].fill(0),
        // Padded, and taken off again as the engine sees fit.
        HandleIsTrimmed => {
            let length = bytes.iter().rposition(|byte| *byte & !0x20 != 0);
            bytes[length.map_or(0, |last| last + 1)..].fill(0);
        }
        _ => {}
    }
    Handle::from_bytes(bytes)
}

pub(crate) fn user(fault: Fault, user: &str) -> String {
    match fault {
        UserOf255Bytes => {
            let end = (0..=user.len().min(255))
                .rev()
                .find(|end| user.is_char_boundary(*end));
            user[..end.unwrap_or(0)].to_owned()
        }
        UserUpToNul => user.split('\0').next().unwrap_or_default().to_owned(),
        _ => user.to_owned(),
    }
}

fn json(fault: Fault, json: String) -> String {
    match fault {
        RecordIsParsed => {
            let parsed: Result<serde_json::Value, _> = serde_json::from_str(&json);
            parsed.map_or(json, |value| value.to_string())
        }
        RecordOf64KiB => json.chars().take(65_535).collect(),
        RecordInLatin1 => json
            .chars()
            .map(|c| if c as u32 > 255 { '?' } else { c })
            .collect(),
        RecordWithoutCommits => match json.split_once(r#""commits":""#) {
            Some((before, after)) => {
                let (_, after) = after.split_once(r#"","#).unwrap_or_default();
                format!("{before}{after}")
            }
            None => json,
        },
        _ => json,
    }
}
