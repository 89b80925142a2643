import { App } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import cdk from '../cdk.json' with { type: 'json' };
import { PipelineStack } from '../lib/pipeline-stack.js';
import { ASKED, DEV, example, PROD } from './example.js';

const { template } = example(PROD);

const PROGRAMS = ['Api', 'AsksWorker', 'EventsDoor', 'Ingest', 'Processor'];

/** The update policy of an alias, which says who moves it. */
function moves(of: Template, program: string): unknown {
  const aliases = Object.entries(of.findResources('AWS::Lambda::Alias'));
  return aliases.find(([id]) => id.startsWith(`${program}Program`))?.[1]['UpdatePolicy'];
}

/** Production with what may be said on the command line. */
function deployed(context: Record<string, string>): Template {
  const app = new App({ context: { ...cdk.context, ...context } });
  const codePath = () => join(import.meta.dirname, 'fixtures/bootstrap');
  return Template.fromStack(new PipelineStack(app, 'Test', { asked: ASKED, codePath, environment: PROD }));
}

test('every function has a live version, and the ones before stay to go back to', () => {
  const aliases = template.findResources('AWS::Lambda::Alias', { Properties: { Name: 'live' } });
  const versions = Object.values(template.findResources('AWS::Lambda::Version'));

  expect(Object.keys(aliases).map((id) => id.replace(/ProgramLive.*/, '')).sort()).toEqual(PROGRAMS);
  expect(versions).toHaveLength(PROGRAMS.length);
  for (const { DeletionPolicy } of versions) {
    expect(DeletionPolicy).toBe('RetainExceptOnCreate');
  }
});

test('whoever calls a function calls its live version: the stream, the queue, the clock and API Gateway', () => {
  const live = (program: string) => ({ Ref: expect.stringMatching(`^${program}ProgramLive`) });
  const sources = Object.values(template.findResources('AWS::Lambda::EventSourceMapping'));
  const [rule] = Object.values(template.findResources('AWS::Events::Rule'));
  const methods = Object.values(template.findResources('AWS::ApiGateway::Method'));
  const permissions = Object.values(template.findResources('AWS::Lambda::Permission'));

  expect(sources).toHaveLength(2);
  for (const { Properties } of sources) {
    expect(JSON.stringify(Properties.FunctionName)).toMatch(/"(Ingest|Processor)ProgramLive\w+".*":live"/);
  }
  expect(rule?.Properties.Targets[0].Arn).toEqual(live('AsksWorker'));
  for (const { Properties } of methods) {
    expect(JSON.stringify(Properties.Integration.Uri)).toMatch(/"(Api|EventsDoor)ProgramLive/);
  }
  for (const { Properties } of permissions) {
    expect(JSON.stringify(Properties.FunctionName)).toContain('ProgramLive');
  }
});

test('in production a tenth of the look-ups tries a new version, and it goes back when they get worse', () => {
  const [group] = Object.values(template.findResources('AWS::CodeDeploy::DeploymentGroup'));
  const names = group?.Properties.AlarmConfiguration.Alarms.map(({ Name }: { Name: { Ref: string } }) => Name.Ref);

  expect(group?.Properties).toMatchObject({
    AlarmConfiguration: { Enabled: true },
    AutoRollbackConfiguration: { Enabled: true, Events: expect.arrayContaining(['DEPLOYMENT_STOP_ON_ALARM']) },
    DeploymentConfigName: 'CodeDeployDefault.LambdaCanary10Percent15Minutes',
  });
  expect(names.map((name: string) => name.replace(/[0-9A-F]{8}$/, '')).sort()).toEqual([
    'ApiAlarmlookupsfailing',
    'ApiAlarmlookupsfallback',
    'ApiProgramAlarmapierrors',
  ]);
  expect(PROGRAMS.filter((each) => moves(template, each) !== undefined)).toEqual(['Api']);
});

test('the alarms have rung before the tenth becomes all', () => {
  const minutes = 15;
  for (const name of ['look-ups-failing', 'look-ups-fall-back', 'api-errors']) {
    const alarms = template.findResources('AWS::CloudWatch::Alarm', {
      Properties: { AlarmDescription: Match.stringLikeRegexp(`#${name}$`) },
    });
    for (const { Properties } of Object.values(alarms)) {
      expect(Properties.EvaluationPeriods * 5).toBeLessThan(minutes);
    }
  }
});

test('what mends an outage is deployed at once, though its alarms ring', () => {
  const [group] = Object.values(deployed({ 'at-once': 'true' }).findResources('AWS::CodeDeploy::DeploymentGroup'));

  expect(group?.Properties.DeploymentConfigName).toBe('CodeDeployDefault.LambdaAllAtOnce');
  expect(group?.Properties.AlarmConfiguration?.Alarms ?? []).toEqual([]);
});

test('outside production nothing is shifted, and nobody waits', () => {
  const { template } = example(DEV);

  template.resourceCountIs('AWS::CodeDeploy::DeploymentGroup', 0);
  expect(PROGRAMS.filter((each) => moves(template, each) !== undefined)).toEqual([]);
});
