//! A queue on a volume: segments that grow at their end, and a cursor that says how far they have been sent.
//!
//! What is written is found again after a crash at any instant. What had arrived or was dropped before it may be sent once
//! more, if it shares a segment with what had not: the cursor knows the oldest that is left and nothing of those behind it,
//! is written after each batch, and not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use mainstay_otel_core::segment::{self, HEAD, MAGIC};

/// Where a record is. Ordered by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    segment: u64,
    offset: u64,
    length: usize,
}

impl Position {
    fn start(self) -> Mark {
        (self.segment, self.offset)
    }
}

/// A segment, and an offset in it.
type Mark = (u64, u64);

/// A record that was there when the spool was opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) position: Position,
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

/// The segments of one queue.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    segment_bytes: u64,
    /// The one that is written to; begun with its first record.
    writer: Option<Writer>,
    /// The number of the next one.
    next: u64,
    /// Those that exist, the writer's among them, with how many of their records have not arrived.
    segments: BTreeMap<u64, usize>,
    /// Records that have not arrived.
    outstanding: BTreeSet<Position>,
    cursor: File,
    /// The file that was read from last.
    reader: Option<(u64, File)>,
    /// What is before this was synced, or is known to be lost.
    synced: Mark,
    lost: Option<Lost>,
}

#[derive(Debug)]
struct Writer {
    number: u64,
    file: File,
    length: u64,
    dirty: bool,
    /// Nothing more is written to it: after a failure nobody knows what its end is.
    closed: bool,
}

/// Records whose sync failed. The system does not say so a second time, and a later sync may well succeed without them.
#[derive(Debug)]
struct Lost {
    from: Mark,
    to: Mark,
    kind: io::ErrorKind,
    reason: String,
}

impl Spool {
    /// Opens the segments of a folder, which is made if it is not there. Returns what has not arrived, oldest first.
    pub(crate) fn open(folder: &Path, segment_bytes: u64) -> io::Result<(Self, Vec<Found>)> {
        fs::create_dir_all(folder)?;
        let mut cursor = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("cursor"))?;
        let sent_to = read_cursor(&mut cursor)?;
        let mut spool = Self {
            folder: folder.to_owned(),
            segment_bytes,
            writer: None,
            // A number that a cursor stands in is never used again, or it would hide what is before it.
            next: sent_to.0 + u64::from(sent_to.1 > 0),
            segments: BTreeMap::new(),
            outstanding: BTreeSet::new(),
            cursor,
            reader: None,
            synced: (0, 0),
            lost: None,
        };
        let mut numbers: Vec<u64> = fs::read_dir(folder)?
            .filter_map(|entry| number_of(&entry.ok()?.path()))
            .collect();
        numbers.sort_unstable();
        let mut found = Vec::new();
        for number in numbers {
            spool.next = spool.next.max(number + 1);
            found.extend(spool.load(number, sent_to)?);
        }
        Ok((spool, found))
    }

    fn load(&mut self, number: u64, sent_to: Mark) -> io::Result<Vec<Found>> {
        let path = self.path(number);
        let scan = segment::scan(&fs::read(&path)?);
        if let Some(torn) = scan.torn {
            tracing::warn!(file = %path.display(), good = scan.good, "the rest is cut off: {torn}");
        }
        let records = scan.records.iter().filter(|record| (number, record.offset) >= sent_to);
        let found: Vec<Found> = records
            .map(|record| Found {
                position: Position {
                    segment: number,
                    offset: record.offset,
                    length: record.length,
                },
                items: record.items,
                bytes: record.length,
            })
            .collect();
        if found.is_empty() {
            fs::remove_file(&path)?;
        } else {
            self.segments.insert(number, found.len());
            self.outstanding.extend(found.iter().map(|found| found.position));
        }
        Ok(found)
    }

    /// Appends a record. It survives the service when this returns, and the machine after [`Spool::sync`].
    pub(crate) fn append(&mut self, body: &[u8], items: usize) -> io::Result<Position> {
        let Some(head) = segment::head(body, items) else {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the request is larger than any record",
            ));
        };
        let record = [&head, body].concat();
        let writer = self.writer(record.len() as u64)?;
        if let Err(error) = writer.file.write_all(&record) {
            // What is written of it goes again. Else it is a torn tail, and the next record begins another segment.
            writer.closed = writer.file.set_len(writer.length).is_err();
            return Err(error);
        }
        let position = Position {
            segment: writer.number,
            offset: writer.length,
            length: body.len(),
        };
        writer.length += record.len() as u64;
        writer.dirty = true;
        *self.segments.entry(position.segment).or_default() += 1;
        self.outstanding.insert(position);
        Ok(position)
    }

    /// The segment that takes so many bytes more: the last one, or a new one if it is closed or would grow too large.
    fn writer(&mut self, bytes: u64) -> io::Result<&mut Writer> {
        let begun = MAGIC.len() as u64;
        let full = |writer: &Writer| {
            writer.closed || writer.length > begun && writer.length.saturating_add(bytes) > self.segment_bytes
        };
        if self.writer.as_ref().is_some_and(full) {
            // Who waits for this sync learns how it went, see `Spool::safe`.
            let synced = self.sync();
            if let Some(writer) = self.writer.take() {
                self.delete_if_done(writer.number)?;
            }
            synced?;
        }
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.begin()?,
        };
        Ok(self.writer.insert(writer))
    }

    fn begin(&mut self) -> io::Result<Writer> {
        let number = self.next;
        let path = self.path(number);
        let mut file = OpenOptions::new().append(true).create_new(true).open(&path)?;
        self.next += 1;
        if let Err(error) = file.write_all(&MAGIC).and_then(|()| sync_folder(&self.folder)) {
            // A full disk would be left with an empty file for each request that it refuses.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        self.segments.insert(number, 0);
        Ok(Writer {
            number,
            file,
            length: MAGIC.len() as u64,
            dirty: true,
            closed: false,
        })
    }

    /// Makes sure that what was appended survives the machine.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let Some(writer) = self.writer.as_mut().filter(|writer| writer.dirty) else {
            return Ok(());
        };
        writer.dirty = false;
        let end = (writer.number, writer.length);
        let from = std::mem::replace(&mut self.synced, end);
        let synced = writer.file.sync_data();
        if let Err(error) = &synced {
            writer.closed = true;
            self.lost = Some(Lost {
                // Whoever waits since before the last failure is told of it still.
                from: self.lost.as_ref().map_or(from, |lost| lost.from.min(from)),
                to: end,
                kind: error.kind(),
                reason: error.to_string(),
            });
        }
        synced
    }

    /// Puts what can be written to and not be synced in place of the file.
    #[cfg(test)]
    pub(crate) fn break_the_next_sync(&mut self) {
        let (reader, writer) = std::io::pipe().unwrap();
        std::mem::forget(reader);
        self.writer.as_mut().unwrap().file = File::from(std::os::fd::OwnedFd::from(writer));
    }

    /// Whether a record survives the machine: none while nobody has synced it.
    pub(crate) fn safe(&self, position: Position) -> Option<io::Result<()>> {
        let at = position.start();
        match &self.lost {
            _ if at >= self.synced => None,
            Some(lost) if (lost.from..lost.to).contains(&at) => Some(Err(io::Error::new(lost.kind, &*lost.reason))),
            _ => Some(Ok(())),
        }
    }

    /// Reads a record again. One that is damaged since it was written is an error.
    pub(crate) fn read(&mut self, position: Position) -> io::Result<Bytes> {
        let file = match self.reader.take() {
            Some((number, file)) if number == position.segment => file,
            _ => File::open(self.path(position.segment))?,
        };
        let (_, file) = self.reader.insert((position.segment, file));
        file.seek(SeekFrom::Start(position.offset))?;
        let mut record = vec![0; HEAD + position.length];
        file.read_exact(&mut record)?;
        if segment::body(&record).is_none() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it does not match its checksum",
            ));
        }
        Ok(Bytes::from(record).slice(HEAD..))
    }

    /// These records have arrived, or are given up. Segments without others are deleted, wherever they are: one request that
    /// is stuck keeps its own segment, not all that were written after it.
    pub(crate) fn consumed(&mut self, positions: impl IntoIterator<Item = Position>) -> io::Result<()> {
        let mut touched = BTreeSet::new();
        for position in positions {
            if self.outstanding.remove(&position)
                && let Some(left) = self.segments.get_mut(&position.segment)
            {
                *left -= 1;
                touched.insert(position.segment);
            }
        }
        // First of all, as it is what makes room for the cursor on a disk that is full.
        let deleted = touched.into_iter().try_for_each(|number| self.delete_if_done(number));
        let sent_to = match (self.outstanding.first(), &self.writer) {
            (Some(oldest), _) => oldest.start(),
            (None, Some(writer)) => (writer.number, writer.length),
            (None, None) => (self.next, 0),
        };
        self.write_cursor(sent_to).and(deleted)
    }

    fn delete_if_done(&mut self, number: u64) -> io::Result<()> {
        let is_written_to = self.writer.as_ref().is_some_and(|writer| writer.number == number);
        if is_written_to || self.segments.get(&number) != Some(&0) {
            return Ok(());
        }
        self.segments.remove(&number);
        if self.reader.as_ref().is_some_and(|(open, _)| *open == number) {
            self.reader = None;
        }
        fs::remove_file(self.path(number))
    }

    fn write_cursor(&mut self, (segment, offset): Mark) -> io::Result<()> {
        let mut bytes = [segment.to_le_bytes(), offset.to_le_bytes()].concat();
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        self.cursor.seek(SeekFrom::Start(0))?;
        self.cursor.write_all(&bytes)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:016x}.segment"))
    }
}

/// How far the segments have been sent. A cursor that was never written, or not wholly, stands at the beginning.
fn read_cursor(file: &mut File) -> io::Result<Mark> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let read = || {
        let (numbers, checksum) = bytes.split_at_checked(16)?;
        if checksum != crc32fast::hash(numbers).to_le_bytes() {
            return None;
        }
        let mut numbers = numbers
            .as_chunks::<8>()
            .0
            .iter()
            .map(|bytes| u64::from_le_bytes(*bytes));
        Some((numbers.next()?, numbers.next()?))
    };
    Ok(read().unwrap_or((0, 0)))
}

fn number_of(path: &Path) -> Option<u64> {
    if path.extension()? != "segment" {
        return None;
    }
    u64::from_str_radix(path.file_stem()?.to_str()?, 16).ok()
}

/// So that a new file's name survives the machine too.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path) -> (Spool, Vec<Vec<u8>>, Vec<Position>) {
        let (mut spool, found) = Spool::open(folder, 100).unwrap();
        let bodies = found
            .iter()
            .map(|found| spool.read(found.position).unwrap().to_vec())
            .collect();
        (spool, bodies, found.iter().map(|found| found.position).collect())
    }

    fn files(folder: &Path) -> usize {
        fs::read_dir(folder)
            .unwrap()
            .filter(|entry| number_of(&entry.as_ref().unwrap().path()).is_some())
            .count()
    }

    fn bytes(folder: &Path) -> u64 {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }

    #[test]
    fn one_record_that_is_stuck_keeps_its_own_segment_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, ..) = open(folder.path());
        let stuck = spool.append(&[0; 30], 1).unwrap();
        let mut live = std::collections::VecDeque::new();
        for number in 0..100_u8 {
            live.push_back(spool.append(&[number; 30], 1).unwrap());
            if live.len() > 3 {
                spool.consumed(live.pop_front()).unwrap();
            }
            assert!(files(folder.path()) <= 4, "{}", files(folder.path()));
            assert!(bytes(folder.path()) <= 4 * 100 + 20, "{}", bytes(folder.path()));
        }
        // Numbers are missing in between, which nobody minds.
        drop(spool);
        let (_, found, positions) = open(folder.path());
        assert_eq!((found[0].len(), positions[0]), (30, stuck));
        let expected: Vec<Vec<u8>> = (97..100_u8).map(|number| vec![number; 30]).collect();
        assert_eq!(found[found.len() - 3..], expected[..]);
        assert!(found.len() <= 6, "{}", found.len());
    }

    #[test]
    fn a_segment_is_deleted_when_it_is_closed_after_its_last_record_was_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, ..) = open(folder.path());
        let stuck = spool.append(&[0; 80], 1).unwrap();
        let dropped = spool.append(&[1; 60], 1).unwrap();
        spool.consumed([dropped]).unwrap();
        assert_eq!(files(folder.path()), 2);
        spool.append(&[2; 60], 1).unwrap();
        assert_eq!(files(folder.path()), 2);
        spool.consumed([stuck]).unwrap();
        assert_eq!(files(folder.path()), 1);
    }

    #[test]
    fn a_record_is_safe_when_it_is_synced_and_a_sync_that_failed_is_told_to_all_who_wait_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, ..) = open(folder.path());
        let first = spool.append(b"one", 1).unwrap();
        assert!(spool.safe(first).is_none());
        spool.sync().unwrap();
        spool.break_the_next_sync();
        let second = spool.append(b"two", 1).unwrap();
        assert!(spool.safe(first).unwrap().is_ok() && spool.safe(second).is_none());
        spool.sync().unwrap_err();
        // Nor does a later one make it good.
        let third = spool.append(b"three", 1).unwrap();
        spool.sync().unwrap();
        assert!(spool.safe(first).unwrap().is_ok() && spool.safe(third).unwrap().is_ok());
        spool.safe(second).unwrap().unwrap_err();
    }

    /// On a file system of 64 KiB, which the test below makes.
    #[test]
    #[ignore = "run by the test below, in a file system of its own"]
    fn in_a_small_file_system() {
        let folder = PathBuf::from(std::env::var_os("SMALL_FILE_SYSTEM").unwrap());
        let (mut spool, _) = Spool::open(&folder, 16 << 10).unwrap();
        // Bytes that do not compress, and no file system shares.
        let mut positions = Vec::new();
        let full = loop {
            match spool.append(&[7; 1500], 1) {
                Ok(position) => positions.push(position),
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        let before = files(&folder);
        for _ in 0..50 {
            assert_eq!(
                spool.append(&[7; 1500], 1).unwrap_err().kind(),
                io::ErrorKind::StorageFull
            );
        }
        // No file for each request that was refused.
        assert_eq!(files(&folder), before);
        // What was taken before is safe all the same, and so is who waits for it.
        let last = *positions.last().unwrap();
        spool.sync().unwrap();
        spool.safe(last).unwrap().unwrap();
        // Room is made, and the queue goes on.
        let sent: Vec<Position> = positions.drain(..positions.len() / 2).collect();
        spool.consumed(sent).unwrap();
        positions.push(spool.append(b"after", 1).unwrap());
        drop(spool);
        let (mut spool, found) = Spool::open(&folder, 16 << 10).unwrap();
        let bodies: Vec<Bytes> = found.iter().map(|found| spool.read(found.position).unwrap()).collect();
        assert_eq!(found.iter().map(|found| found.position).collect::<Vec<_>>(), positions);
        assert_eq!(bodies.last().unwrap(), &b"after"[..]);
    }

    #[test]
    fn a_full_disk_refuses_leaves_nothing_behind_and_takes_more_when_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let script =
            r#"mount -t tmpfs -o size=64k tmpfs "$1" && SMALL_FILE_SYSTEM=$1 exec "$2" --ignored --exact "$3""#;
        let output = std::process::Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "bash", "-c", script, "bash"])
            .arg(folder.path())
            .arg(std::env::current_exe().unwrap())
            .arg("spool::tests::in_a_small_file_system")
            .output()
            .expect("unshare (util-linux) mounts a small file system for this test");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && told.contains("1 passed"),
            "{told}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    #[test]
    fn what_has_not_arrived_is_there_again_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, found, _) = open(folder.path());
        assert!(found.is_empty());
        let positions: Vec<Position> = (0..20_u8).map(|byte| spool.append(&[byte; 30], 1).unwrap()).collect();
        assert!(files(folder.path()) > 4);
        // Out of order, as with several consumers.
        spool.consumed(positions[..5].iter().copied()).unwrap();
        spool.consumed([positions[9]]).unwrap();
        drop(spool);
        let (mut spool, found, positions) = open(folder.path());
        // The tenth had arrived, but the cursor cannot say so.
        assert_eq!(found, (5..20_u8).map(|byte| vec![byte; 30]).collect::<Vec<_>>());
        spool.append(b"more", 1).unwrap();
        spool.consumed(positions).unwrap();
        drop(spool);
        let (mut spool, found, positions) = open(folder.path());
        assert_eq!(found, [b"more".to_vec()]);
        spool.consumed(positions).unwrap();
        assert_eq!(files(folder.path()), 0);
        drop(spool);
        assert_eq!(open(folder.path()).1, Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_torn_tail_is_cut_off_and_a_torn_cursor_sends_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, ..) = open(folder.path());
        let first = spool.append(b"one", 1).unwrap();
        spool.append(b"two", 1).unwrap();
        spool.append(b"three", 1).unwrap();
        spool.consumed([first]).unwrap();
        let segment = spool.path(0);
        drop(spool);
        let bytes = fs::read(&segment).unwrap();
        fs::write(&segment, &bytes[..bytes.len() - 2]).unwrap();
        assert_eq!(open(folder.path()).1, [b"two".to_vec()]);
        fs::write(folder.path().join("cursor"), [7; 11]).unwrap();
        assert_eq!(open(folder.path()).1, [b"one".to_vec(), b"two".to_vec()]);
    }
}
