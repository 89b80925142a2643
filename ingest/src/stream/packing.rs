//! User records, packed into stream records.
//!
//! Users are spread over a fixed number of buckets by the CRC-32 of their id. All users of a bucket share stream records, whose
//! explicit hash key is where the bucket begins. Neither depends on how many shards
//! there are, so a user's records meet on one shard, in order, also while the stream
//! is resharded; and the shard's lanes (Lambda's parallelisation factor) go by the
//! partition key, which is the bucket's name.

use std::mem;
use std::num::NonZeroU16;

use contract::aggregation::{self, Aggregate, MEMBER_OVERHEAD_BYTES, UnsealedRecord};

/// Size at which a stream record is closed, in bytes. A shard takes 1 MiB a second, and
/// a batch of Lambda 6 MB, so a record should be a small part of either.
pub const MAX_AGGREGATE_BYTES: usize = 256 * 1024;

/// A record for the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRecord {
    /// The bucket's name.
    pub partition_key: String,
    /// Where the bucket begins in the stream's hash space.
    pub explicit_hash_key: String,
    /// The user records, aggregated.
    pub data: Vec<u8>,
}

/// Packs the user records of one group.
#[derive(Debug)]
pub struct Packer {
    buckets: Vec<Bucket>,
    packed: Vec<(usize, UnsealedRecord)>,
}

#[derive(Debug)]
struct Bucket {
    hash_key: String,
    aggregate: Aggregate,
}

impl Packer {
    /// Packs into this number of buckets.
    pub fn new(buckets: NonZeroU16) -> Self {
        // Rounded up, so that a bucket never begins in the shard of the one before it; a
        // single bucket begins at 0 however wide it is.
        let width = (u128::MAX / u128::from(buckets.get())).saturating_add(1);
        let bucket = |n: u16| Bucket {
            hash_key: (u128::from(n) * width).to_string(),
            aggregate: Aggregate::default(),
        };
        Self { buckets: (0..buckets.get()).map(bucket).collect(), packed: Vec::new() }
    }

    /// Takes a user record, the `length` bytes that `write` appends.
    pub fn add(&mut self, user_id: &str, length: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let place = self.bucket_of(user_id);
        let bucket = &mut self.buckets[place];
        let bytes = user_id.len() + length + MEMBER_OVERHEAD_BYTES;
        if bucket.aggregate.bytes() + bytes > MAX_AGGREGATE_BYTES && !bucket.aggregate.is_empty() {
            self.packed.push((place, bucket.aggregate.take()));
        }
        bucket.aggregate.add(user_id, Some(&bucket.hash_key), length, write);
    }

    /// Returns everything that was taken, each bucket's records in order.
    pub fn take(&mut self) -> Vec<StreamRecord> {
        for (place, bucket) in self.buckets.iter_mut().enumerate() {
            if !bucket.aggregate.is_empty() {
                self.packed.push((place, bucket.aggregate.take()));
            }
        }
        let (places, unsealed): (Vec<usize>, Vec<UnsealedRecord>) =
            mem::take(&mut self.packed).into_iter().unzip();
        let sealed = places.into_iter().zip(aggregation::seal(unsealed));
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

    use super::*;

    fn packer(buckets: u16) -> Packer {
        Packer::new(NonZeroU16::new(buckets).expect("not zero"))
    }

    fn members(record: &StreamRecord) -> Vec<Member> {
        let data = Bytes::copy_from_slice(&record.data);
        aggregation::decode(&data).expect("decodes").expect("is aggregated")
    }

    #[test]
    fn a_users_records_share_one_hash_key_whatever_comes_beside_them() {
        let mut keys: HashMap<String, String> = HashMap::new();
        let mut packer = packer(64);
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
        let mut packer = packer(1);
        let sizes = [100_000, 100_000, 100_000, 800_000, 10];
        for (n, size) in sizes.into_iter().enumerate() {
            packer.add(&format!("user-{n}"), size, |out| out.resize(out.len() + size, b'x'));
        }

        let records = packer.take();

        let users =
            |record| members(record).into_iter().map(|m| m.partition_key).collect::<Vec<_>>();
        let users: Vec<Vec<String>> = records.iter().map(users).collect();
        assert_eq!(
            users,
            [vec!["user-0", "user-1"], vec!["user-2"], vec!["user-3"], vec!["user-4"]]
        );
        assert!(records.iter().filter(|r| r.data.len() > MAX_AGGREGATE_BYTES).count() == 1);
        assert!(packer.take().is_empty());
    }
}
