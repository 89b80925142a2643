/** What becomes of a command here. */
export type Fate = Run | Excuse;

/** It is typed. */
export interface Run {
  /** What it says then. */
  readonly says: RegExp;
  /** Its exit code, where that is not 0; make turns those of `ops` into 2. */
  readonly ends?: number;
  /** Variables of the page that are read off what it says, each by its first group. */
  readonly tells?: Readonly<Record<string, RegExp>>;
  /** `ops` asks whether to go on, and the answer is yes. */
  readonly asks?: boolean;
}

/** It is not typed, and why. */
export interface Excuse {
  readonly excuse: string;
}

const FORM = { excuse: 'shows the form in which others stand' };
const DEPLOYS = { excuse: 'deploys: the deployment that everything here runs on is one' };
const NO_CANARY = { excuse: 'MiniStack deploys no connection, and so no canary' };
const EVENT_SOURCE_OFF = { says: /"State": "Disabl(ed|ing)"/ };
const EVENT_SOURCE_ON = { says: /"State": "Enabl(ed|ing)"/ };
const VERSIONS = { says: /holds/, tells: { VERSION: /^ *\d+ .*\n *(\d+) / } };
const PAUSES = { says: /then it is paused and serves|nothing to change/, asks: true };
const PUTS_BACK = { says: /holds already|functions follow within/, asks: true };
const PUBLISHES = { says: /new-episode: ok/, asks: true };
const PREVIEWS = { says: /Write about episode|show/ };
const INVOCATIONS = { says: /invocation done/ };

/**
 * The fate of each command of the runbook, by how it begins; the longest beginning counts. Excuses
 * are rare: what a command says on AWS itself and not here is one, and what would cost.
 */
export const FATES: Readonly<Record<string, Fate>> = {
  'make test': { excuse: 'it is what types these' },
  'ops X': FORM,
  'make ops ARGS="X"': FORM,

  'export STAGE=prod': { says: /^$/ },
  'aws cloudwatch describe-alarms': { says: /recordsgivenup.*a try/ },
  'aws cloudformation describe-stack-resources': { says: /ApiProgramFunction/ },
  'aws logs filter-log-events --log-group-name "$PROCESSOR_LOG_GROUP" \\\n  --start-time "$(($(date +%s) - 3600))000" --query \'events[].[message]\' --output text \\\n  --filter-pattern \'%':
    // The emulator knows no regular expressions; test/runbook.test.ts tries this one.
    { says: /^$/ },
  'aws logs filter-log-events --log-group-name "$PROCESSOR_LOG_GROUP"': INVOCATIONS,
  'aws logs filter-log-events --log-group-name "$INGEST_LOG_GROUP"': INVOCATIONS,
  // No job is refused here, as there are none.
  'aws logs filter-log-events --log-group-name "$ASKS_WORKER_LOG_GROUP"': { says: /^$/ },
  // The emulator's API Gateway writes no access log.
  'aws logs filter-log-events --log-group-name "$API_ACCESS_LOG_GROUP"': { says: /^$/ },
  'aws s3 ls --recursive "s3://$CURRENTS_BUCKET"': { says: /\.avro$/m },
  'aws s3api get-bucket-notification-configuration': { says: /"QueueArn": ".*CurrentsUploads/ },
  'aws events list-rule-names-by-target': { says: /"RuleNames": \[\]/ },
  'aws sqs start-message-move-task': { excuse: 'MiniStack has no such action' },
  'aws lambda get-event-source-mapping': EVENT_SOURCE_OFF,
  'aws lambda update-event-source-mapping --uuid "$PROCESSOR_EVENT_SOURCE" --enabled': EVENT_SOURCE_ON,
  'aws lambda update-event-source-mapping --uuid "$PROCESSOR_EVENT_SOURCE" --no-enabled': EVENT_SOURCE_OFF,
  'aws kms describe-key': { says: /"Disabled"/ },
  'aws kms enable-key': { says: /^$/ },
  'aws kms cancel-key-deletion': { excuse: 'a key that is to be deleted is another fault than one that is off' },
  'aws lambda get-function-concurrency --function-name "$PROCESSOR_FUNCTION"': {
    says: /"ReservedConcurrentExecutions": 0/,
  },
  // The emulator leaves out what the template reserves.
  'aws lambda get-function-concurrency --function-name "$ASKS_WORKER_FUNCTION"': { says: /^$|Reserved/ },
  'aws lambda put-function-concurrency': { says: /"ReservedConcurrentExecutions": 4/ },
  'aws kinesis enable-enhanced-monitoring': { says: /"ALL"/ },
  'aws s3 ls --recursive "s3://$GIVEN_UP_BUCKET': { says: /aws\/lambda\/batch/ },
  'make ops ARGS="redrive --bucket': { says: /^Sent [1-9]\d* records of 1 batches again; 0 objects stay/m },

  'ops letters list': { says: /^0 letters/m },
  'make ops ARGS="letters list"': {
    says: /^1 letters/m,
    tells: { REASON: /^ *1 {2}(\w+) /m, LETTER: /such as (\S+)$/m },
  },
  'make ops ARGS="letters show': { says: /^ *given up/m },
  'make ops ARGS="letters discard': { says: /^1 letters are discarded, and kept in/m, asks: true },
  'make ops ARGS="redrive --queue-url': { says: /^Sent 0 dead letters again; 0 stay in the queue/m },

  'for url in $(aws sqs list-queues': { says: /^Later[\s\S]*^ATTRIBUTES/m },
  'aws dynamodb get-item --table-name "$COORDINATION_TABLE"': { says: /^\d{16}$/m },
  'aws dynamodb delete-item --table-name "$COORDINATION_TABLE"': { says: /^$/ },
  'aws events describe-rule': { says: /"DISABLED"/ },
  'aws events describe-rule --name "$(aws events list-rules': NO_CANARY,
  'CANARY=$(aws stepfunctions list-state-machines': NO_CANARY,
  'aws events enable-rule': { says: /^$/ },
  'aws events disable-rule': { says: /^$/ },
  'aws bedrock get-foundation-model-availability': { excuse: 'MiniStack knows other models only' },
  'aws service-quotas list-service-quotas': { excuse: 'MiniStack has no such service' },

  'ops campaigns check': { says: /new-episode: ok/ },
  'ops campaigns preview': PREVIEWS,
  'ops campaigns preview --campaign $CAMPAIGN --events $EVENTS --prompt-only': {
    ends: 2,
    says: /asks for content:[\s\S]*"episode_watched", compared with "episode_viewed"/,
  },
  'ops campaigns why': { says: /does not meet the condition[\s\S]*-> no content/ },
  'ops campaigns versions': VERSIONS,
  'ops campaigns publish': PUBLISHES,
  'ops campaigns publish --dry-run': { says: /new-episode: ok/ },
  'ops campaigns pause': PAUSES,
  'ops campaigns resume': { says: /then it is not paused/, asks: true },
  'ops campaigns put-back': PUTS_BACK,
  'ops recall': { says: /^Recalled\. /m, asks: true },
  'ops recall --campaign $CAMPAIGN --all --dry-run': { says: /^\d+ of \d+ contents, such as of .*Nothing was changed/ms },
  'ops recall --campaign $CAMPAIGN --containing': { says: /^[1-9]\d* of \d+ contents.*Nothing was changed/ms },
  'ops ask': { says: /^Sent [1-9]\d* asks/m, asks: true },
  'ops show canary': { says: /canary/ },
  'ops show': { says: /new-episode|^deleted at/m },

  'aws sqs get-queue-attributes': { says: /ApproximateNumberOfMessages/ },
  'aws ce get-cost-and-usage': { excuse: 'MiniStack has no such service, and each call costs a cent' },
  'make rollback STAGE=$STAGE ARGS=--dry-run': { says: /^(api: \d+ .* -> \d+ [\s\S]*){2}/m },
  'make rollback STAGE=$STAGE ARGS=--forward': { says: /^api: \d+ .* -> \d+ /m },
  'make deploy': DEPLOYS,
  'make bootstrap': DEPLOYS,

  'make ops ARGS="erase $BRAZE_ID': { says: /contents: 1[\s\S]*^Done: /m, asks: true },
  'make ops ARGS="erase --list': { says: /lists [1-9]\d* deletions/ },
  'ops erase --since': { says: /^Done: /m, asks: true },
  'aws lambda update-event-source-mapping --uuid "$PROCESSOR_EVENT_SOURCE" --enabled\naws events': {
    says: /"State": "Enabl(ed|ing)"[\s\S]*^Done: /m,
    asks: true,
  },
  'aws dynamodb describe-continuous-backups': { says: /PointInTimeRecoveryStatus/ },
  'aws dynamodb restore-table-to-point-in-time': { says: /"TableName": ".*-restored"/ },
  'aws dynamodb list-backups': { says: /"BackupSummaries"/ },
  'BACKUP=$(aws dynamodb create-backup': { says: /"AVAILABLE"/ },
  'aws dynamodb update-table --table-name "$CONTENT_TABLE" --no-deletion-protection-enabled\n': {
    says: /"DeletionProtectionEnabled": false[\s\S]*"RestoreSummary"/,
  },
  'aws dynamodb update-time-to-live': { says: /"AttributeName": "expires_at"[\s\S]*"ENABLED"/ },
  'aws dynamodb update-table --table-name "$CONTENT_TABLE" --deletion-protection-enabled': {
    says: /"DeletionProtectionEnabled": true/,
  },
  'make ops ARGS="replay': { says: /^Of \d+ files \d+ are wanted/m, asks: true },
  'make ops ARGS="replay s3://$CURRENTS_BUCKET --from $FROM --to $TO --dry-run"': {
    says: /^Of \d+ files [1-9]\d* are wanted[\s\S]*Nothing was changed/m,
  },
  'export EVENTS="$KEEP/events"': { says: /^download: .*\.avro$/m },

  'aws secretsmanager put-secret-value': { says: /"AWSCURRENT"/ },
  'aws secretsmanager get-secret-value': { says: /"username": ?"braze"/ },
  'aws events update-connection': { says: /"ConnectionState": "AUTHORIZ/ },
  'OLD=$(aws secretsmanager list-secret-version-ids': { says: /"Name"/ },
};

/** The fate of a command; none if nobody thought of it. */
export function fate(text: string): Fate | undefined {
  return FATES[beginning(text) ?? ''];
}

/** How a command begins, as the table has it. */
export function beginning(text: string): string | undefined {
  const [longest] = Object.keys(FATES)
    .filter((each) => text.startsWith(each))
    .sort((one, other) => other.length - one.length);
  return longest;
}
