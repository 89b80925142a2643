//! A file, opened and looked at: an Avro container, or lines, perhaps packed with gzip.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::{Fault, Lines};
use crate::input::kind::{self, Kind};

/// Bytes of a file that are read at a time.
const BUFFER_BYTES: usize = 64 * 1024;

/// What the gzip library says of bytes that begin no member.
const NO_MEMBER: &str = "invalid gzip header";

/// The bytes of a file.
pub(super) type Source = Box<dyn Read + Send>;

/// A file, looked at.
pub enum Opened {
    /// An Avro container, from its beginning.
    Avro(Source),
    /// Lines.
    Lines(Box<Lines>),
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Avro(_) => "Avro",
            Self::Lines(_) => "Lines",
        })
    }
}

impl Opened {
    /// Opens a file and looks at its first bytes.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        match File::open(path) {
            Ok(file) => Self::of(BufReader::with_capacity(BUFFER_BYTES, file), path),
            Err(error) => Err(Fault::of_file(path, format!("cannot be read: {error}"))),
        }
    }

    /// Looks at the first bytes of what a file holds; `path` is for faults.
    pub fn of(source: impl Read + Send + 'static, path: &Path) -> Result<Self, Fault> {
        let fault = |what: String| Fault::of_file(path, what);
        let lines = match judged(source).map_err(fault)? {
            (Kind::Avro, source) => return Ok(Self::Avro(source)),
            (Kind::Lines, source) => source,
            (Kind::Gzip, packed) => {
                let unpacked = judged(Unpacked::new(packed));
                match unpacked.map_err(|what| fault(format!("unpacked, it {what}")))? {
                    (Kind::Lines, source) => source,
                    (kind, _) => return Err(fault(packed_in_vain(kind).to_owned())),
                }
            }
        };
        Ok(Self::Lines(Box::new(Lines::new(lines, path))))
    }
}

/// Looks at the first bytes of a source, and gives it back from its beginning.
fn judged(mut source: impl Read + Send + 'static) -> Result<(Kind, Source), String> {
    let head = kind::head(&mut source).map_err(|error| format!("cannot be read: {error}"))?;
    let kind = Kind::of(&head)?;
    Ok((kind, Box::new(Cursor::new(head).chain(source))))
}

fn packed_in_vain(kind: Kind) -> &'static str {
    match kind {
        Kind::Avro => "is an Avro file packed with gzip: unpack it, Avro packs its own blocks",
        Kind::Lines | Kind::Gzip => "is packed with gzip twice: unpack it once",
    }
}

/// What was packed with gzip, in one piece or in many.
struct Unpacked {
    packed: MultiGzDecoder<BufReader<Source>>,
    /// Why nothing more can be read: the decoder itself says so only once.
    failure: Option<(ErrorKind, String)>,
}

impl Unpacked {
    fn new(packed: Source) -> Self {
        let packed = BufReader::with_capacity(BUFFER_BYTES, packed);
        Self { packed: MultiGzDecoder::new(packed), failure: None }
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failure.is_none() {
            match self.packed.read(buffer) {
                Err(error) if error.kind() != ErrorKind::Interrupted => {
                    let what = match error.kind() {
                        ErrorKind::UnexpectedEof => "the packed file is cut off".to_owned(),
                        ErrorKind::InvalidInput if error.to_string() == NO_MEMBER => {
                            "here what is packed ends, and other bytes follow".to_owned()
                        }
                        ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                            format!("the packed file is damaged: {error}")
                        }
                        _ => error.to_string(),
                    };
                    self.failure = Some((error.kind(), what));
                }
                read => return read,
            }
        }
        let (kind, what) = self.failure.clone().unwrap_or((ErrorKind::Other, String::new()));
        Err(io::Error::new(kind, what))
    }
}
