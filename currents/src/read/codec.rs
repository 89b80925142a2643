//! Blocks of a container, decompressed.
//!
//! Guarantees: never more than the given limit of bytes comes out, whatever a
//! block claims or contains, and buffers are used again for the next block.

use std::io::Read;
use std::str::FromStr;

use bzip2::read::MultiBzDecoder;
use liblzma::read::XzDecoder;
use liblzma::stream::Stream;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress as inflate};

/// Memory that decoding a block in xz may take: xz -9 takes 65 MiB.
const MAX_XZ_MEMORY_BYTES: u64 = 128 * 1024 * 1024;

/// Bytes of the CRC-32 after a block in snappy.
const SNAPPY_CHECKSUM_BYTES: usize = 4;

/// First size of the output buffer.
const FIRST_BUFFER_BYTES: usize = 256 * 1024;

/// How the blocks of a container are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    Null,
    /// DEFLATE without zlib's frame.
    Deflate,
    /// Snappy with a CRC-32.
    Snappy,
    /// Zstandard.
    Zstandard,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
}

/// A block did not decompress.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// It is larger than is allowed.
    #[error("block decompresses to more than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// It is not what the codec writes.
    #[error("block is not valid {codec:?}: {detail}")]
    Invalid {
        /// The codec.
        codec: Codec,
        /// What its library said.
        detail: String,
    },
}

impl FromStr for Codec {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "null" => Ok(Self::Null),
            "deflate" => Ok(Self::Deflate),
            "snappy" => Ok(Self::Snappy),
            "zstandard" => Ok(Self::Zstandard),
            "bzip2" => Ok(Self::Bzip2),
            "xz" => Ok(Self::Xz),
            _ => Err(()),
        }
    }
}

/// Decompresses one block after the other.
pub struct Decompressor {
    codec: Codec,
    limit_bytes: usize,
    output: Vec<u8>,
    deflate: libdeflater::Decompressor,
    zstandard: Option<zstd::bulk::Decompressor<'static>>,
}

/// What one attempt with a buffer of a fixed size came to.
enum Attempt {
    Written(usize),
    TooSmall,
}

impl Decompressor {
    /// Starts with empty buffers.
    pub fn new(codec: Codec, limit_bytes: usize) -> Self {
        Self {
            codec,
            limit_bytes,
            output: Vec::new(),
            deflate: libdeflater::Decompressor::new(),
            zstandard: None,
        }
    }

    /// Decompresses a block; the bytes stay valid until the next call.
    pub fn decompress<'a>(&'a mut self, block: &'a [u8]) -> Result<&'a [u8], CodecError> {
        let written = match self.codec {
            Codec::Null => return Ok(block),
            Codec::Deflate | Codec::Zstandard => self.grow_until_it_fits(block)?,
            Codec::Snappy => self.snappy(block)?,
            Codec::Bzip2 => self.stream(MultiBzDecoder::new(block))?,
            Codec::Xz => {
                let decoder = Stream::new_stream_decoder(MAX_XZ_MEMORY_BYTES, 0)
                    .map_err(|error| self.invalid(&error))?;
                self.stream(XzDecoder::new_stream(block, decoder))?
            }
        };
        Ok(&self.output[..written])
    }

    /// Decompresses into a buffer that doubles until it is large enough.
    fn grow_until_it_fits(&mut self, block: &[u8]) -> Result<usize, CodecError> {
        loop {
            if self.output.is_empty() {
                self.output.resize(FIRST_BUFFER_BYTES.min(self.limit_bytes), 0);
            }
            let attempt = match self.codec {
                Codec::Zstandard => self.zstandard(block)?,
                _ => self.deflate(block)?,
            };
            match attempt {
                Attempt::Written(written) => return Ok(written),
                Attempt::TooSmall if self.output.len() >= self.limit_bytes => {
                    return Err(CodecError::TooLarge { limit_bytes: self.limit_bytes });
                }
                Attempt::TooSmall => {
                    self.output.resize((self.output.len() * 2).min(self.limit_bytes), 0);
                }
            }
        }
    }

    fn deflate(&mut self, block: &[u8]) -> Result<Attempt, CodecError> {
        match self.deflate.deflate_decompress(block, &mut self.output) {
            Ok(written) => Ok(Attempt::Written(written)),
            Err(libdeflater::DecompressionError::InsufficientSpace) => Ok(Attempt::TooSmall),
            Err(error) => self.unfinished_deflate(block).ok_or_else(|| self.invalid(&error)),
        }
    }

    /// Decompresses what was flushed and never finished, as Java and Python read it; whether
    /// something is missing, the records tell.
    fn unfinished_deflate(&mut self, block: &[u8]) -> Option<Attempt> {
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF | TINFL_FLAG_HAS_MORE_INPUT;
        let mut inflater = DecompressorOxide::new();
        match inflate(&mut inflater, block, &mut self.output, 0, flags) {
            (TINFLStatus::NeedsMoreInput, _, written) => Some(Attempt::Written(written)),
            (TINFLStatus::HasMoreOutput, ..) => Some(Attempt::TooSmall),
            _ => None,
        }
    }

    fn zstandard(&mut self, block: &[u8]) -> Result<Attempt, CodecError> {
        let decompressor = match &mut self.zstandard {
            Some(decompressor) => decompressor,
            None => {
                let new = zstd::bulk::Decompressor::new();
                let new = new.map_err(|error| invalid(Codec::Zstandard, &error))?;
                self.zstandard.insert(new)
            }
        };
        match decompressor.decompress_to_buffer(block, &mut self.output[..]) {
            Ok(written) => Ok(Attempt::Written(written)),
            // The library has no better way to tell: its codes are not public.
            Err(error) if error.to_string().contains("too small") => Ok(Attempt::TooSmall),
            Err(error) => Err(invalid(Codec::Zstandard, &error)),
        }
    }

    fn snappy(&mut self, block: &[u8]) -> Result<usize, CodecError> {
        let split = block.len().checked_sub(SNAPPY_CHECKSUM_BYTES);
        let Some((data, checksum)) = split.map(|at| block.split_at(at)) else {
            return Err(self.invalid(&"no room for the checksum"));
        };
        let length = snap::raw::decompress_len(data).map_err(|error| self.invalid(&error))?;
        if length > self.limit_bytes {
            return Err(CodecError::TooLarge { limit_bytes: self.limit_bytes });
        }
        if self.output.len() < length {
            self.output.resize(length, 0);
        }
        let written = snap::raw::Decoder::new()
            .decompress(data, &mut self.output)
            .map_err(|error| self.invalid(&error))?;
        if crc32fast::hash(&self.output[..written]).to_be_bytes() != checksum {
            return Err(self.invalid(&"checksum does not match"));
        }
        Ok(written)
    }

    fn stream(&mut self, decoder: impl Read) -> Result<usize, CodecError> {
        self.output.clear();
        let read = decoder.take(self.limit_bytes as u64 + 1).read_to_end(&mut self.output);
        let written = read.map_err(|error| self.invalid(&error))?;
        if written > self.limit_bytes {
            return Err(CodecError::TooLarge { limit_bytes: self.limit_bytes });
        }
        Ok(written)
    }

    fn invalid(&self, detail: &dyn std::fmt::Display) -> CodecError {
        invalid(self.codec, detail)
    }
}

fn invalid(codec: Codec, detail: &dyn std::fmt::Display) -> CodecError {
    CodecError::Invalid { codec, detail: detail.to_string() }
}
