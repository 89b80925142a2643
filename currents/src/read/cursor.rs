//! Avro's binary encoding, read from a block in memory.
//!
//! <https://avro.apache.org/docs/1.12.0/specification/#binary-encoding>

/// Longest encoding of a 64-bit integer: ten groups of seven bits.
const MAX_LONG_BYTES: usize = 10;

/// Why bytes are not Avro of the given schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end inside a value.
    #[error("a value goes beyond the end of the block")]
    End,
    /// An integer has more groups of bits than a 64-bit integer can have.
    #[error("an integer is longer than 64 bits")]
    Integer,
    /// A length, a count or a size is negative, or larger than memory.
    #[error("a length is negative or impossible")]
    Length,
    /// A boolean is neither 0 nor 1.
    #[error("a boolean is neither 0 nor 1")]
    Boolean,
    /// A union names a branch that it does not have, or an enum a symbol.
    #[error("a union or an enum names a choice that it does not have")]
    Choice,
    /// Values are nested more deeply than is allowed.
    #[error("values are nested too deeply")]
    Depth,
    /// It claims more items without a single byte than is allowed.
    #[error("an array or a block claims too many items that take no bytes")]
    Empty,
}

/// A place in a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let (&byte, rest) = self.rest.split_first().ok_or(Malformed::End)?;
        self.rest = rest;
        Ok(byte)
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Malformed::End)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Malformed::End)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Reads a zig-zag variable-length integer.
    #[inline]
    pub(crate) fn long(&mut self) -> Result<i64, Malformed> {
        // Most integers of an event (lengths, branches of unions) take one byte.
        if let Some((&byte, rest)) = self.rest.split_first()
            && byte < 0x80
        {
            self.rest = rest;
            return Ok(unzigzag(u64::from(byte)));
        }
        self.long_of_many_bytes()
    }

    fn long_of_many_bytes(&mut self) -> Result<i64, Malformed> {
        let mut value = 0_u64;
        for place in 0..MAX_LONG_BYTES {
            let byte = self.byte()?;
            let group = u64::from(byte & 0x7F);
            if place == MAX_LONG_BYTES - 1 && group > 1 {
                return Err(Malformed::Integer);
            }
            value |= group << (7 * place);
            if byte < 0x80 {
                return Ok(unzigzag(value));
            }
        }
        Err(Malformed::Integer)
    }

    /// Reads a 32-bit integer.
    pub(crate) fn int(&mut self) -> Result<i32, Malformed> {
        i32::try_from(self.long()?).map_err(|_| Malformed::Integer)
    }

    /// Reads a length and as many bytes: a string or bytes.
    #[inline]
    pub(crate) fn counted(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.long()?).map_err(|_| Malformed::Length)?;
        self.bytes(length)
    }

    pub(crate) fn boolean(&mut self) -> Result<bool, Malformed> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed::Boolean),
        }
    }

    /// Reads a choice among `choices`.
    #[inline]
    pub(crate) fn choice(&mut self, choices: usize) -> Result<usize, Malformed> {
        let place = usize::try_from(self.long()?).map_err(|_| Malformed::Choice)?;
        (place < choices).then_some(place).ok_or(Malformed::Choice)
    }

    /// Reads the head of a block of items: their number, 0 at the end.
    pub(crate) fn items(&mut self) -> Result<u64, Malformed> {
        let count = self.long()?;
        if count < 0 {
            // The size in bytes follows; it serves readers that skip without a schema.
            let size = self.long()?;
            usize::try_from(size).map_err(|_| Malformed::Length)?;
        }
        Ok(count.unsigned_abs())
    }
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(bytes: &[u8]) -> Result<i64, Malformed> {
        Cursor::new(bytes).long()
    }

    #[test]
    fn integers_are_read_as_the_specification_writes_them() {
        let examples: [(&[u8], i64); 8] = [
            (&[0x00], 0),
            (&[0x01], -1),
            (&[0x02], 1),
            (&[0x7F], -64),
            (&[0x80, 0x01], 64),
            (&[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], i64::MAX),
            (&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], i64::MIN),
            (&[0x80, 0x80, 0x00], 0),
        ];
        for (bytes, expected) in examples {
            assert_eq!(long(bytes), Ok(expected), "{bytes:?}");
        }
    }

    #[test]
    fn integers_that_are_cut_or_too_long_are_refused() {
        assert_eq!(long(&[0x80]), Err(Malformed::End));
        assert_eq!(long(&[0xFF; 11]), Err(Malformed::Integer));
        assert_eq!(
            long(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02]),
            Err(Malformed::Integer)
        );
        assert_eq!(Cursor::new(&[0x80, 0x80, 0x80, 0x80, 0x10]).int(), Err(Malformed::Integer));
    }

    #[test]
    fn lengths_beyond_the_block_are_refused() {
        assert_eq!(Cursor::new(&[0x04, b'a']).counted(), Err(Malformed::End));
        assert_eq!(Cursor::new(&[0x01]).counted(), Err(Malformed::Length));
        assert_eq!(Cursor::new(&[0x04]).choice(2), Err(Malformed::Choice));
    }
}
