//! Whatever is in a file of the queue: records that match their checksums, one after the other, up to where the file is good.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mainstay_otel_core::segment::{HEAD, MAGIC, body, head, scan};

fuzz_target!(|input: (Vec<Vec<u8>>, u16, &[u8])| {
    let (bodies, cut, garbage) = input;
    let found = scan(garbage);
    assert!(found.good as usize <= garbage.len());

    let mut bytes = MAGIC.to_vec();
    for body in &bodies {
        bytes.extend_from_slice(&head(body, body.len()).expect("a short body"));
        bytes.extend_from_slice(body);
    }
    // Torn anywhere, and anything after it.
    let at = usize::from(cut).min(bytes.len());
    let torn = [&bytes[..at], garbage].concat();
    let whole = scan(&bytes);
    assert_eq!((whole.records.len(), whole.torn), (bodies.len(), None));
    let found = scan(&torn);
    for (record, expected) in found.records.iter().zip(&whole.records) {
        if record.end() as usize <= at {
            assert_eq!(record, expected);
            let part = &torn[record.offset as usize..record.end() as usize];
            assert_eq!(body(part).map(<[u8]>::len), Some(part.len() - HEAD));
        }
    }
});
