import { Duration } from 'aws-cdk-lib';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';

import type { AccessLogs } from './access-logs.js';
import { KEPT } from './removal.js';

/** An upload that broke off is paid for until its parts are removed. */
const BROKEN_OFF_AFTER = Duration.days(2);

export interface PrivateBucketProps {
  readonly accessLogs: AccessLogs;
  readonly key: kms.IKey;
  readonly lifecycleRules: readonly s3.LifecycleRule[];
}

/** A bucket without public access that takes nothing in the clear, and stays when the stack goes. */
export function privateBucket(
  scope: Construct,
  id: string,
  props: PrivateBucketProps,
): s3.Bucket {
  return new s3.Bucket(scope, id, {
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    // Asks for the key once for many objects.
    bucketKeyEnabled: true,
    encryption: s3.BucketEncryption.KMS,
    encryptionKey: props.key,
    enforceSSL: true,
    lifecycleRules: [
      ...props.lifecycleRules,
      { abortIncompleteMultipartUploadAfter: BROKEN_OFF_AFTER },
    ],
    minimumTLSVersion: 1.2,
    objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    removalPolicy: KEPT,
    serverAccessLogsBucket: props.accessLogs.bucket,
    serverAccessLogsPrefix: `${scope.node.id}/${id}/`,
  });
}
