import type { Environment } from '../environments.js';
import { type Fault, isElsewhere, KEY_ARN, within } from './fault.js';

/** A notification is tried for more than a day, and what it tells of must be there that long. */
const LEAST_DAYS = 2;

/** Where Braze writes, and as whom. */
export function ofBucket({ currents, region }: Environment): Fault[] {
  const { braze, existingBucket, existingBucketKeyArn: key, prefix, retentionDays } = currents;
  const isKey = key !== undefined && KEY_ARN.test(key);
  return [
    [
      'currents.existingBucket',
      existingBucket !== undefined && !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(existingBucket),
      "is a bucket's name, without what stands before it in an address or ARN",
    ],
    [
      'currents.existingBucketKeyArn',
      key !== undefined && existingBucket === undefined,
      'is of an existing bucket, and none is named: name existingBucket, or leave it out',
    ],
    [
      'currents.existingBucketKeyArn',
      key !== undefined && !isKey,
      'is the ARN of a key in AWS KMS; policies do not take the name of an alias',
    ],
    [
      'currents.existingBucketKeyArn',
      isKey && isElsewhere(key, region),
      `S3 takes keys of its own region only, and the stage is in ${region}`,
    ],
    [
      'currents.prefix',
      prefix !== undefined && /^\/|[*?$]/.test(prefix),
      'keys of objects do not begin with a slash, and *, ? and $ mean something else in a policy',
    ],
    [
      'currents.prefix',
      // S3 takes no two notifications of which one's prefix begins the other's.
      prefix !== undefined && (prefix.startsWith('catalogs/') || 'catalogs/'.startsWith(prefix)),
      'begins as catalogs/ does, where the files of catalogs lie: take another',
    ],
    [
      'currents.retentionDays',
      !within(retentionDays, LEAST_DAYS, Number.MAX_SAFE_INTEGER),
      `files must stay as long as ingest tries to read them, ${LEAST_DAYS} days at least`,
    ],
    [
      'currents.braze',
      braze !== undefined && !/^\d{12}$/.test(braze.accountId),
      "accountId has twelve digits, as Braze's page shows it",
    ],
    [
      'currents.braze',
      braze !== undefined && !/^[\w+=,.@:/-]{2,1224}$/.test(braze.externalId),
      "externalId is what Braze's page shows: without it anybody's Braze could write",
    ],
  ];
}
