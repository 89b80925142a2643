//! What a file holds, judged by its first bytes: names say little.

use std::io::{self, Read};

/// First bytes of every Avro object container file.
const AVRO_MAGIC: &[u8] = b"Obj\x01";

/// Bytes at the beginning of a file that are looked at.
const HEAD_BYTES: usize = 64 * 1024;

/// How a line can begin beside its text.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// First bytes of files that are neither, and what to do.
const OTHERS: [(&[u8], &str); 11] = [
    (b"PK\x03\x04", "is a zip file: unpack it"),
    (b"BZh", "is packed with bzip2: unpack it, or pack it with gzip"),
    (b"\x28\xB5\x2F\xFD", "is packed with Zstandard: unpack it, or pack it with gzip"),
    (b"\xFD7zXZ\0", "is packed with xz: unpack it, or pack it with gzip"),
    (b"x\x9C", "is packed with zlib: unpack it, or pack it with gzip"),
    (b"x\xDA", "is packed with zlib: unpack it, or pack it with gzip"),
    (b"PAR1", "is a Parquet file: write its rows as JSON Lines"),
    (b"ORC", "is an ORC file: write its rows as JSON Lines"),
    (b"Obj", "is a damaged Avro file, or one of another version: its first bytes are not Obj\\x01"),
    (b"\xFF\xFE", "is UTF-16: write it as UTF-8, for example with `iconv -f UTF-16 -t UTF-8`"),
    (b"\xFE\xFF", "is UTF-16: write it as UTF-8, for example with `iconv -f UTF-16 -t UTF-8`"),
];

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An Avro container.
    Avro,
    /// Events, one a line as JSON.
    Lines,
    /// Something packed with gzip: lines, if it is of use.
    Gzip,
}

/// Reads as much as is looked at.
pub(crate) fn head(mut source: impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    // Containers are many, and tell what they are at once.
    read_on(&mut source, AVRO_MAGIC.len(), &mut head)?;
    if head != AVRO_MAGIC {
        read_on(&mut source, HEAD_BYTES - AVRO_MAGIC.len(), &mut head)?;
    }
    Ok(head)
}

/// Reads on; what comes before a failure is no failure yet.
fn read_on(source: &mut impl Read, bytes: usize, head: &mut Vec<u8>) -> io::Result<()> {
    match source.by_ref().take(bytes as u64).read_to_end(head) {
        Err(error) if head.is_empty() => Err(error),
        _ => Ok(()),
    }
}

impl Kind {
    /// What a file holds that begins with these bytes, or why it is of no use.
    pub(crate) fn of(head: &[u8]) -> Result<Self, &'static str> {
        if head.is_empty() {
            return Err("is empty");
        }
        if head.starts_with(AVRO_MAGIC) {
            return Ok(Self::Avro);
        }
        if AVRO_MAGIC.starts_with(head) {
            return Err("is cut off: it is too short to be an Avro file");
        }
        if head.starts_with(b"\x1F\x8B") {
            return Ok(Self::Gzip);
        }
        if let Some((_, what)) = OTHERS.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Err(what);
        }
        of_text(head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head))
    }
}

fn of_text(head: &[u8]) -> Result<Kind, &'static str> {
    match head.first_chunk::<4>().map(|first| first.map(|byte| byte == 0)) {
        Some([false, true, false, true]) => {
            return Err("is UTF-16: write it as UTF-8, for example with \
                        `iconv -f UTF-16LE -t UTF-8`");
        }
        Some([true, false, true, false]) => {
            return Err("is UTF-16: write it as UTF-8, for example with \
                        `iconv -f UTF-16BE -t UTF-8`");
        }
        _ => {}
    }
    let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_start);
    let first = lines.clone().find(|line| !line.is_empty());
    match first.and_then(<[u8]>::first) {
        None | Some(b'{') => Ok(Kind::Lines),
        Some(b'[') => Err("is one JSON array, and one event a line is wanted: write it with \
                           `jq -c '.[]'`"),
        Some(_) if lines.any(|line| line.starts_with(b"{")) => Ok(Kind::Lines),
        Some(b'"') => Err("holds texts in which JSON stands: take it out of them with \
                           `jq -c fromjson`"),
        Some(_) if head.iter().any(|byte| matches!(byte, 0..=8 | 14..=26)) => {
            Err("is neither an Avro file nor JSON Lines: it is binary")
        }
        Some(_) => Err("is neither an Avro file nor JSON Lines: no line begins with {"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_avro_lines_and_gzip() {
        for (head, kind) in [
            (&b"Obj\x01\x04"[..], Kind::Avro),
            (b"\x1F\x8B\x08\0", Kind::Gzip),
            (b"{\"id\":\"e\"}", Kind::Lines),
            (b"\xEF\xBB\xBF\r\n \t{", Kind::Lines),
            (b"cut off\"}\n{\"id\":1}\n", Kind::Lines),
            (b"{\0binary", Kind::Lines),
            (b"\0\0\0\0\0\n{\"id\":1}\n", Kind::Lines),
            (b"\n\n", Kind::Lines),
        ] {
            assert_eq!(Kind::of(head), Ok(kind), "{head:?}");
        }
    }

    #[test]
    fn what_is_of_no_use_is_told_with_what_to_do() {
        for (head, what) in [
            (&b""[..], "is empty"),
            (b"Ob", "is cut off"),
            (b"Obj\x02", "of another version"),
            (b"PK\x03\x04", "unpack it"),
            (b"x\x9C", "is packed with zlib: unpack it, or pack it with gzip"),
            (b"x\xDA", "is packed with zlib: unpack it, or pack it with gzip"),
            (b"PAR1", "Parquet"),
            (b"\xFF\xFE{\0", "iconv -f UTF-16 "),
            (b"{\0\"\0", "iconv -f UTF-16LE "),
            (b"\0{\0\"", "iconv -f UTF-16BE "),
            (
                b"\n [{\"id\":1}]",
                "is one JSON array, and one event a line is wanted: write it with",
            ),
            (b"id,user_id,time\n1,u,2", "no line begins with {"),
            (b"\"{}\"\n\"{}\"", "`jq -c fromjson`"),
            (b"x\x9C\xED\x92", "is packed with zlib"),
            (b"\x7FELF\x02\x01\0\0", "it is binary"),
        ] {
            let told = Kind::of(head).expect_err("is of no use");
            assert!(told.contains(what), "{head:?}: {told}");
        }
    }

    #[test]
    fn of_a_container_its_first_bytes_are_read_and_of_lines_many() {
        let read = |start: &[u8]| {
            let mut source = io::Cursor::new([start, &[b'x'; 2 * HEAD_BYTES]].concat());
            let head = head(&mut source).expect("is in memory");
            assert_eq!(head.len() as u64, source.position());
            head.len()
        };

        assert_eq!(read(AVRO_MAGIC), AVRO_MAGIC.len());
        assert_eq!(read(b"{"), HEAD_BYTES);
    }
}
