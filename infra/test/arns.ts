import { type Place, SOMEWHERE, type Speak } from './statements.js';

/** Where the name of a resource stands in its ARN, by its type. */
const ARNS: Readonly<Record<string, (name: string, place: Place) => string>> = {
  'AWS::DynamoDB::Table': (name, at) => `arn:aws:dynamodb:${within(at)}:table/${name}`,
  'AWS::Events::Connection': (name, at) => `arn:aws:events:${within(at)}:connection/${name}`,
  'AWS::IAM::Role': (name, { account }) => `arn:aws:iam::${account}:role/${name}`,
  'AWS::KMS::Key': (name, at) => `arn:aws:kms:${within(at)}:key/${name}`,
  'AWS::Lambda::Function': (name, at) => `arn:aws:lambda:${within(at)}:function:${name}`,
  'AWS::Kinesis::Stream': (name, at) => `arn:aws:kinesis:${within(at)}:stream/${name}`,
  // CloudFormation's attribute ends so: it is for the streams of the group.
  'AWS::Logs::LogGroup': (name, at) => `arn:aws:logs:${within(at)}:log-group:${name}:*`,
  'AWS::S3::Bucket': (name) => `arn:aws:s3:::${name.toLowerCase()}`,
  'AWS::SNS::Topic': (name, at) => `arn:aws:sns:${within(at)}:${name}`,
  'AWS::SQS::Queue': (name, at) => `arn:aws:sqs:${within(at)}:${name}`,
  // Its name begins with a slash, and policies put the rest of the ARN before it.
  'AWS::SSM::Parameter': (name) => `/${name.replace(/^\//, '')}`,
  'AWS::SecretsManager::Secret': (name, at) => `arn:aws:secretsmanager:${within(at)}:secret:${name}`,
  'AWS::StepFunctions::StateMachine': (name, at) => `arn:aws:states:${within(at)}:stateMachine:${name}`,
};

/** The ARN of a resource of this type; what has none is spoken of by its name. */
export function arnOf(name: string, type: string, place: Place = SOMEWHERE): string {
  return ARNS[type]?.(name, place) ?? name;
}

/** Speaks of resources by their ARNs; of a connection's secret by that of a secret. */
export const byArn: Speak = (id, type, attribute) =>
  arnOf(id, attribute === 'SecretArn' ? 'AWS::SecretsManager::Secret' : type);

function within({ account, region }: Place): string {
  return `${region}:${account}`;
}
