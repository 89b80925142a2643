import type { Emulator } from '../emulator.js';
import { STAGE } from '../stack.js';
import { until } from '../until.js';
import type { Shell } from './shell.js';

/** Where a chapter is tried. */
export interface Scene {
  readonly emulator: Emulator;
  readonly shell: Shell;
}

/** What is the matter when a chapter is opened, and what it leaves that the next must not find. */
export interface Fault {
  readonly begins?: (scene: Scene) => Promise<unknown>;
  readonly ends?: (scene: Scene) => Promise<unknown>;
}

const ALL_ON = `
aws lambda update-event-source-mapping --uuid "$PROCESSOR_EVENT_SOURCE" --enabled
aws events enable-rule --name "$ASKS_RULE"`;

/** A version of the api that differs in its description, as a deployment would bring it. */
const NEW_VERSION = `
SETTINGS=$(aws lambda get-function-configuration --function-name "$API_FUNCTION:1" --query Environment --output json)
aws lambda update-function-configuration --function-name "$API_FUNCTION" --environment "$SETTINGS" --description next
NEXT=$(aws lambda publish-version --function-name "$API_FUNCTION" --query Version --output text)
aws lambda update-alias --function-name "$API_FUNCTION" --name live --function-version "$NEXT"`;

/** A batch as Lambda keeps it, of a record that was on the stream. */
const GIVEN_UP = `
for SHARD in $(aws kinesis list-shards --stream-name "$STREAM_NAME" --query 'Shards[].ShardId' --output text); do
  FROM_START=$(aws kinesis get-shard-iterator --stream-name "$STREAM_NAME" --shard-id "$SHARD" \\
    --shard-iterator-type TRIM_HORIZON --query ShardIterator --output text)
  RECORD=$(aws kinesis get-records --shard-iterator "$FROM_START" --limit 1 --output json \\
    --query 'Records[0].{data: Data, partitionKey: PartitionKey, sequenceNumber: SequenceNumber}')
  [ "$RECORD" != null ] || continue
  echo "{\\"payload\\": {\\"Records\\": [{\\"kinesis\\": $RECORD}]}}" | aws s3 cp - "s3://$GIVEN_UP_BUCKET/aws/lambda/batch"
  break
done`;

const DAMAGED = `
echo 'no Avro' > "$KEEP/damaged.avro"
aws s3 cp "$KEEP/damaged.avro" "s3://$CURRENTS_BUCKET/event_type=users.behaviors.CustomEvent/damaged.avro"`;

/** One of the files that are there, as if of now. */
const FILE_OF_TODAY = `
FOUND=$(find "$EVENTS" -path '*event_type=users.behaviors.CustomEvent*' -name '*.avro' | head -1)
aws s3 cp "$FOUND" "s3://$CURRENTS_BUCKET/event_type=users.behaviors.CustomEvent/date=$(date -u +%F)-00/today.avro"`;

const RENAMED = `sed -i s/episode_watched/episode_viewed/ "$CAMPAIGNS/$CAMPAIGN/campaign.toml"`;

const MENDED = `sed -i s/episode_viewed/episode_watched/ "$CAMPAIGNS/$CAMPAIGN/campaign.toml"`;

const PUBLISHED = 'make -s ops ARGS="campaigns publish"';

const RESUMED = 'make -s ops ARGS="campaigns resume $CAMPAIGN"';

/** What the canary would have, which the emulator's CloudFormation does not make. */
const CONNECTIONS = `
for CONNECTION in look-ups posts; do
  aws events create-connection --name "$STACK_NAME-canary-$CONNECTION" --authorization-type BASIC \\
    --auth-parameters '{"BasicAuthParameters": {"Username": "braze", "Password": "old"}}'
done`;

const typed =
  (script: string) =>
  ({ shell }: Scene) =>
    shell.must(script);

/** An alarm of which nothing else rings. */
const alarm = (state: string) => `
names=$(make -s ops ARGS="where --stage ${STAGE}") && eval "$names"
RINGS=$(aws cloudwatch describe-alarms --alarm-name-prefix "$STACK_NAME-ProcessorAlarmrecordsgivenup" --output text \\
  --query "MetricAlarms[0].AlarmName")
aws cloudwatch set-alarm-state --alarm-name "$RINGS" --state-value ${state} --state-reason 'a try'`;

/** The faults of chapters, by their headings. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  Runbook: { begins: typed(alarm('ALARM')), ends: typed(alarm('OK')) },
  'stream-unread': {
    begins: typed(`
aws lambda update-event-source-mapping --uuid "$PROCESSOR_EVENT_SOURCE" --no-enabled
aws kms disable-key --key-id "$INCOMING_KEY_ARN"`),
  },
  'events-unread': {
    begins: typed(`
aws lambda put-function-concurrency --function-name "$PROCESSOR_FUNCTION" --reserved-concurrent-executions 0`),
  },
  'records-given-up': { begins: typed(GIVEN_UP) },
  'dead-letters': {
    begins: async ({ shell }) => {
      await shell.must(DAMAGED);
      await until('there is a letter', async () => {
        const listed = await shell.must('make -s ops ARGS="letters list"');
        return listed.includes('damaged_object') ? true : undefined;
      });
    },
  },
  'asks-not-taken-up': { begins: typed('aws events disable-rule --name "$ASKS_RULE"') },
  'To stop a campaign, and to take content back': {
    begins: typed('echo "Never speak of prices." >> "$CAMPAIGNS/$CAMPAIGN/system.liquid"'),
  },
  'A campaign that matches nothing': {
    begins: ({ shell }) => shell.must(`${RENAMED}\n${PUBLISHED}`, true),
    ends: ({ shell }) => shell.must(`${MENDED}\n${PUBLISHED}`, true),
  },
  'Bad content': { ends: ({ shell }) => shell.must(RESUMED, true) },
  'A cost spike': { ends: typed(ALL_ON) },
  'Bedrock down for a day': {
    begins: ({ emulator }) => emulator.loseModel(),
    ends: async ({ emulator, shell }) => {
      await emulator.regainModel();
      await shell.must(RESUMED, true);
    },
  },
  'To roll back': { begins: typed(NEW_VERSION) },
  'A region lost': {
    begins: typed('make -s ops ARGS="erase --list $KEEP/deleted.jsonl"'),
    ends: typed(`${ALL_ON}\nrm "$KEEP/deleted.jsonl"`),
  },
  'To change the password': { begins: typed(CONNECTIONS) },
  'To look at files': { begins: typed(FILE_OF_TODAY) },
};
