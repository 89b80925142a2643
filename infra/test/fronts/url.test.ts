import { expect, test } from 'vitest';

import { example, FRONTS } from '../example.js';
import { alarm } from '../watched.js';

const { template } = example(FRONTS.url);

test('the live version of each function has an address of its own', () => {
  const urls = Object.values(template.findResources('AWS::Lambda::Url')).map(({ Properties }) => [
    Properties.TargetFunctionArn['Fn::GetAtt'][0].replace(/[0-9A-F]{8}$/, ''),
    Properties.Qualifier,
    Properties.AuthType,
  ]);

  expect(urls.sort()).toEqual([
    ['ApiProgramFunction', 'live', 'NONE'],
    ['EventsDoorProgramFunction', 'live', 'NONE'],
  ]);
});

test('everybody may call by the address, which takes two permissions, and in no other way', () => {
  const open = { Properties: { Principal: '*' } };
  const permissions = Object.values(template.findResources('AWS::Lambda::Permission', open));
  const of = (live: string) =>
    permissions
      .map(({ Properties }) => Properties)
      .filter(({ FunctionName }) => JSON.stringify(FunctionName).includes(live))
      .map(({ FunctionName, Principal, ...rest }) => rest);

  expect(permissions).toHaveLength(4);
  for (const live of ['ApiProgramLive', 'EventsDoorProgramLive']) {
    expect(of(live)).toEqual(
      expect.arrayContaining([
        { Action: 'lambda:InvokeFunctionUrl', FunctionUrlAuthType: 'NONE' },
        { Action: 'lambda:InvokeFunction', InvokedViaFunctionUrl: true },
      ]),
    );
  }
});

test('calls are limited by how many instances may run, as nothing else limits them', () => {
  const functions = Object.entries(template.findResources('AWS::Lambda::Function'));
  const reserved = (begins: string) =>
    functions.find(([id]) => id.startsWith(begins))?.[1].Properties.ReservedConcurrentExecutions;

  expect(reserved('ApiProgram')).toBe(FRONTS.url.api.maxInstances);
  expect(reserved('EventsDoorProgram')).toBe(FRONTS.url.ingest.doorMaxInstances);
});

test('look-ups and posts are told apart by the function', () => {
  const functionOf = (name: string) =>
    JSON.stringify(alarm(template, name).properties['Metrics']).match(/\w+ProgramFunction(?=[0-9A-F]{8})/g);

  expect(new Set(functionOf('look-ups-failing'))).toEqual(new Set(['ApiProgramFunction']));
  expect(new Set(functionOf('no-posts'))).toEqual(new Set(['EventsDoorProgramFunction']));
});

test('nothing of a gateway or a load balancer is there', () => {
  const types = Object.values(template.toJSON()['Resources']).map((each) => (each as { Type: string }).Type);

  expect(types.filter((type) => /ApiGateway|ElasticLoadBalancing|WAFv2|EC2/.test(type))).toEqual([]);
});
