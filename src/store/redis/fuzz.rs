use super::encoding::{EncodedRecord, RecordHeader, decode};
use crate::time::Timestamp;

/// What is read is written in one way, which is read as the same, and of which scans read the same head.
pub(crate) fn value(bytes: &[u8]) {
    let header = RecordHeader::decode(bytes);
    let Ok(record) = decode(bytes) else {
        return;
    };
    let header = header.expect("a record has a head");
    // The last time that a head has room for is the last that a record has.
    let capped = |time: Timestamp| time.min(Timestamp::from_millis(Timestamp::LATEST));
    assert_eq!(header.version, record.version());
    assert_eq!(capped(header.expires_at), capped(record.expires()));
    let encoded = EncodedRecord::new(&record, record.version());
    let again = decode(encoded.as_bytes()).expect("what is written is read");
    let expires = capped(record.expires());
    assert_eq!(again.to_json(), record.to_json());
    assert_eq!(
        (again.version(), again.expires()),
        (record.version(), expires)
    );
    let header = RecordHeader::decode(encoded.as_bytes()).expect("a record has a head");
    assert_eq!(header.is_tombstone, record.is_tombstone());
    let repeated = EncodedRecord::new(&again, again.version());
    assert_eq!(repeated.as_bytes(), encoded.as_bytes());
}
