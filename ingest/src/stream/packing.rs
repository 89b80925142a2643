//! User records, packed into stream records.
//!
//! Users are spread over a fixed number of buckets by the CRC-32 of their id. All users of a bucket share stream records, whose
//! explicit hash key is where the bucket begins. Neither depends on how many shards
//! there are, so a user's records meet on one shard, in order, also while the stream
//! is resharded; and the shard's lanes (Lambda's parallelisation factor) go by the
//! partition key, which is the bucket's name.

use std::mem;
use std::num::NonZeroU16;
use std::str::FromStr;

use contract::aggregation::{self, Aggregate, MEMBER_OVERHEAD_BYTES, UnsealedRecord};
use contract::frame::{self, Lines};

/// Size at which a stream record is closed, in bytes before it is compressed. A shard takes
/// 1 MiB a second, and a batch of Lambda 6 MB, so a record should be a small part of either; and
/// `processor` holds all records of a batch as they were before.
pub const MAX_RECORD_BYTES: usize = 256 * 1024;

/// The form of stream records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// A zstd frame of JSON Lines.
    Zstd,
    /// That of the Kinesis Producer Library, several times as large: for streams that others
    /// read, or a `processor` that knows no frames yet.
    #[default]
    Kpl,
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "zstd" => Ok(Self::Zstd),
            "kpl" => Ok(Self::Kpl),
            _ => Err("say zstd or kpl"),
        }
    }
}

/// A record for the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRecord {
    /// The bucket's name.
    pub partition_key: String,
    /// Where the bucket begins in the stream's hash space.
    pub explicit_hash_key: String,
    /// The user records, packed.
    pub data: Vec<u8>,
}

/// Packs the user records of one group.
#[derive(Debug)]
pub struct Packer {
    buckets: Vec<Bucket>,
    packed: Packed,
}

#[derive(Debug)]
struct Bucket {
    hash_key: String,
    open: Open,
}

/// A stream record that takes more.
#[derive(Debug)]
enum Open {
    Lines(Lines),
    Aggregate(Aggregate),
}

/// Stream records that are closed, each with the place of its bucket.
#[derive(Debug, Default)]
struct Packed {
    lines: Vec<(usize, Lines)>,
    aggregates: Vec<(usize, UnsealedRecord)>,
}

impl Open {
    fn is_empty(&self) -> bool {
        match self {
            Self::Lines(lines) => lines.is_empty(),
            Self::Aggregate(aggregate) => aggregate.is_empty(),
        }
    }

    /// Whether a user record of so many bytes is better begun another with.
    fn is_full_for(&self, user_id: &str, length: usize) -> bool {
        let bytes = match self {
            Self::Lines(lines) => lines.bytes() + length + 1,
            Self::Aggregate(aggregate) => {
                aggregate.bytes() + user_id.len() + length + MEMBER_OVERHEAD_BYTES
            }
        };
        bytes > MAX_RECORD_BYTES && !self.is_empty()
    }
}

impl Packed {
    /// Closes what is open.
    fn close(&mut self, place: usize, open: &mut Open) {
        match open {
            Open::Lines(lines) => self.lines.push((place, lines.take())),
            Open::Aggregate(aggregate) => self.aggregates.push((place, aggregate.take())),
        }
    }

    /// Makes the stream records' bytes, in order.
    fn seal(self) -> Vec<(usize, Vec<u8>)> {
        let (places, lines): (Vec<usize>, Vec<Lines>) = self.lines.into_iter().unzip();
        let frames = places.into_iter().zip(frame::seal(lines));
        let (places, unsealed): (Vec<usize>, Vec<_>) = self.aggregates.into_iter().unzip();
        frames.chain(places.into_iter().zip(aggregation::seal(unsealed))).collect()
    }
}

impl Packer {
    /// Packs into this number of buckets.
    pub fn new(buckets: NonZeroU16, format: Format) -> Self {
        // Rounded up, so that a bucket never begins in the shard of the one before it; a
        // single bucket begins at 0 however wide it is.
        let width = (u128::MAX / u128::from(buckets.get())).saturating_add(1);
        let bucket = |n: u16| Bucket {
            hash_key: (u128::from(n) * width).to_string(),
            open: match format {
                Format::Zstd => Open::Lines(Lines::default()),
                Format::Kpl => Open::Aggregate(Aggregate::default()),
            },
        };
        Self { buckets: (0..buckets.get()).map(bucket).collect(), packed: Packed::default() }
    }

    /// Takes a user record, the `length` bytes that `write` appends.
    pub fn add(&mut self, user_id: &str, length: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let place = self.bucket_of(user_id);
        let bucket = &mut self.buckets[place];
        if bucket.open.is_full_for(user_id, length) {
            self.packed.close(place, &mut bucket.open);
        }
        match &mut bucket.open {
            Open::Lines(lines) => lines.add(write),
            Open::Aggregate(aggregate) => {
                aggregate.add(user_id, Some(&bucket.hash_key), length, write);
            }
        }
    }

    /// Returns everything that was taken, each bucket's records in order.
    pub fn take(&mut self) -> Vec<StreamRecord> {
        for (place, bucket) in self.buckets.iter_mut().enumerate() {
            if !bucket.open.is_empty() {
                self.packed.close(place, &mut bucket.open);
            }
        }
        let sealed = mem::take(&mut self.packed).seal().into_iter();
        let record = |(place, data): (usize, Vec<u8>)| StreamRecord {
            partition_key: format!("bucket-{place}"),
            explicit_hash_key: self.buckets[place].hash_key.clone(),
            data,
        };
        sealed.map(record).collect()
    }

    fn bucket_of(&self, user_id: &str) -> usize {
        let hash = u64::from(crc32fast::hash(user_id.as_bytes()));
        ((hash * self.buckets.len() as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bytes::Bytes;
    use contract::aggregation::Member;
    use contract::user_record::unpack;

    use super::*;

    fn packer(buckets: u16) -> Packer {
        Packer::new(NonZeroU16::new(buckets).expect("not zero"), Format::Zstd)
    }

    fn members(record: &StreamRecord) -> Vec<Member> {
        let data = Bytes::copy_from_slice(&record.data);
        aggregation::decode(&data).expect("decodes").expect("is aggregated")
    }

    /// The user records of a stream record in either form.
    fn sizes(record: &StreamRecord) -> Vec<usize> {
        let data = Bytes::copy_from_slice(&record.data);
        unpack(data).into_iter().map(|(bytes, _)| bytes.len()).collect()
    }

    #[test]
    fn a_users_records_share_one_hash_key_whatever_comes_beside_them() {
        let mut keys: HashMap<String, String> = HashMap::new();
        let mut packer = Packer::new(NonZeroU16::new(64).expect("not zero"), Format::Kpl);
        for round in 0..3 {
            for user in (0..1_000).skip(round * 100) {
                packer.add(&format!("user-{user}"), 100, |out| out.extend([b'x'; 100]));
            }
            for record in packer.take() {
                for member in members(&record) {
                    assert_eq!(
                        member.explicit_hash_key.as_deref(),
                        Some(&*record.explicit_hash_key)
                    );
                    let key =
                        keys.entry(member.partition_key).or_insert(record.partition_key.clone());
                    assert_eq!(*key, record.partition_key);
                }
            }
        }
        assert_eq!(keys.len(), 1_000);
    }

    #[test]
    fn buckets_divide_the_hash_space_evenly() {
        for buckets in [1, 2, 100, 256, 65_535] {
            let packer = packer(buckets);
            let width = u128::MAX / u128::from(buckets);
            for (n, bucket) in packer.buckets.iter().enumerate() {
                let start: u128 = bucket.hash_key.parse().expect("is a number");
                let even = n as u128 * width;
                assert!((even..=even + u128::from(buckets)).contains(&start), "{n} of {buckets}");
            }
        }
    }

    #[test]
    fn users_are_spread_evenly_whatever_their_ids_look_like() {
        let packer = packer(100);
        let ids: [fn(u32) -> String; 3] =
            [|n| format!("user-{n}"), |n| format!("{n:024x}"), |n| format!("{:024x}", n << 20)];
        for id in ids {
            let mut users = vec![0; 100];
            (0..20_000).for_each(|user| users[packer.bucket_of(&id(user))] += 1);

            let most = users.iter().max().copied().unwrap_or_default();
            assert!(most < 400, "{users:?}");
        }
    }

    #[test]
    fn stream_records_are_closed_before_they_grow_too_large_and_keep_the_order() {
        for format in [Format::Zstd, Format::Kpl] {
            let mut packer = Packer::new(NonZeroU16::MIN, format);
            for size in [100_000, 100_001, 100_002, 800_000, 10] {
                packer.add("user", size, |out| out.resize(out.len() + size, b'x'));
            }

            let records = packer.take();

            let packed: Vec<Vec<usize>> = records.iter().map(sizes).collect();
            assert_eq!(packed, [vec![100_000, 100_001], vec![100_002], vec![800_000], vec![10]]);
            assert!(packer.take().is_empty());
        }
    }

    #[test]
    fn a_form_is_named_as_the_settings_name_it() {
        assert_eq!(["zstd", "kpl"].map(str::parse), [Ok(Format::Zstd), Ok(Format::Kpl)]);
        assert_eq!("gzip".parse::<Format>(), Err("say zstd or kpl"));
    }
}
