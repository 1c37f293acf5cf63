//! A queue on a volume: segments that grow at their end, and a cursor that says how far they have been sent.
//!
//! What is written is found again after a crash at any instant. What had arrived just before it may be sent once more: the
//! cursor is written after each batch, and not synced.

use std::collections::BTreeSet;
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
    /// Numbers of those that exist, the writer's among them.
    segments: BTreeSet<u64>,
    /// Records that have not arrived.
    outstanding: BTreeSet<Position>,
    cursor: File,
    /// The file that was read from last.
    reader: Option<(u64, File)>,
}

#[derive(Debug)]
struct Writer {
    number: u64,
    file: File,
    length: u64,
    dirty: bool,
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
            segments: BTreeSet::new(),
            outstanding: BTreeSet::new(),
            cursor,
            reader: None,
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

    fn load(&mut self, number: u64, sent_to: (u64, u64)) -> io::Result<Vec<Found>> {
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
            self.segments.insert(number);
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
        let (writer, new) = self.writer()?;
        let offset = writer.length;
        if let Err(error) = writer.file.write_all(&record) {
            // What is written of it is a torn tail, and stays one: the next record begins another segment.
            self.writer = None;
            return Err(error);
        }
        writer.length += record.len() as u64;
        writer.dirty = true;
        let position = Position {
            segment: writer.number,
            offset,
            length: body.len(),
        };
        if new {
            self.segments.insert(position.segment);
        }
        self.outstanding.insert(position);
        Ok(position)
    }

    fn writer(&mut self) -> io::Result<(&mut Writer, bool)> {
        let full = self
            .writer
            .as_ref()
            .is_some_and(|writer| writer.length >= self.segment_bytes);
        if full {
            self.sync()?;
            self.writer = None;
        }
        let new = self.writer.is_none();
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => {
                let number = self.next;
                let mut file = OpenOptions::new()
                    .append(true)
                    .create_new(true)
                    .open(self.path(number))?;
                self.next += 1;
                self.segments.insert(number);
                file.write_all(&MAGIC)?;
                sync_folder(&self.folder)?;
                Writer {
                    number,
                    file,
                    length: MAGIC.len() as u64,
                    dirty: true,
                }
            }
        };
        Ok((self.writer.insert(writer), new))
    }

    /// Makes sure that what was appended survives the machine.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if let Some(writer) = self.writer.as_mut().filter(|writer| writer.dirty) {
            writer.file.sync_data()?;
            writer.dirty = false;
        }
        Ok(())
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

    /// These records have arrived, or are given up. Segments without others are deleted.
    pub(crate) fn consumed(&mut self, positions: impl IntoIterator<Item = Position>) -> io::Result<()> {
        for position in positions {
            self.outstanding.remove(&position);
        }
        let sent_to = match (self.outstanding.first(), &self.writer) {
            (Some(oldest), _) => (oldest.segment, oldest.offset),
            (None, Some(writer)) => (writer.number, writer.length),
            (None, None) => (self.next, 0),
        };
        self.write_cursor(sent_to)?;
        while let Some(number) = self.segments.first().copied().filter(|number| *number < sent_to.0) {
            self.segments.remove(&number);
            if self.reader.as_ref().is_some_and(|(open, _)| *open == number) {
                self.reader = None;
            }
            fs::remove_file(self.path(number))?;
        }
        Ok(())
    }

    fn write_cursor(&mut self, (segment, offset): (u64, u64)) -> io::Result<()> {
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
fn read_cursor(file: &mut File) -> io::Result<(u64, u64)> {
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
