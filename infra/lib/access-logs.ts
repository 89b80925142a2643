import { Duration } from 'aws-cdk-lib';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

import { acknowledge } from './findings.js';
import { KEPT } from './removal.js';

/** Long enough to look into who read or wrote what. */
const RETENTION = Duration.days(90);

/** Who read and wrote the objects of the other buckets, as S3 writes it down. */
export class AccessLogs extends Construct {
  readonly bucket: s3.Bucket;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.bucket = new s3.Bucket(this, 'Bucket', {
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      // S3 delivers its logs to no bucket that has a key of its own.
      encryption: s3.BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      lifecycleRules: [{ expiration: RETENTION }],
      minimumTLSVersion: 1.2,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: KEPT,
    });
    acknowledge(this.bucket, 'S1', 'this is itself the bucket of access logs');
  }
}
