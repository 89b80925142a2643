import { expect, test } from 'vitest';

import { type Check, decide, type Rule } from './deployment/evaluator.js';

const TABLE = 'arn:aws:dynamodb:eu-central-1:111122223333:table/content';

const GET: Check = { action: 'dynamodb:GetItem', resource: TABLE, context: { 'dynamodb:LeadingKeys': ['campaigns'] } };

const ALLOW: Rule = { effect: 'Allow', actions: ['dynamodb:GetItem'], resources: [TABLE], conditions: {} };

test('what nothing allows is not granted', () => {
  expect(decide([], GET)).toBe('not granted');
  expect(decide([{ ...ALLOW, actions: ['dynamodb:PutItem'] }], GET)).toBe('not granted');
  expect(decide([{ ...ALLOW, resources: [`${TABLE}-of-others`] }], GET)).toBe('not granted');
  expect(decide([ALLOW], GET)).toBe('allowed');
});

test('what is denied is denied, whatever allows it and wherever that stands', () => {
  const deny: Rule = { ...ALLOW, effect: 'Deny' };

  expect(decide([ALLOW, deny], GET)).toBe('denied');
  expect(decide([deny, ALLOW], GET)).toBe('denied');
});

test('a denial of something else denies nothing', () => {
  const deny: Rule = { ...ALLOW, effect: 'Deny', actions: ['dynamodb:PutItem'] };

  expect(decide([ALLOW, deny], GET)).toBe('allowed');
});

test('a statement may be for all but what it names', () => {
  const { actions: _, ...rest } = ALLOW;
  const { resources: __, ...anywhere } = ALLOW;

  expect(decide([{ ...rest, notActions: ['dynamodb:Get*'] }], GET)).toBe('not granted');
  expect(decide([{ ...rest, notActions: ['dynamodb:PutItem'] }], GET)).toBe('allowed');
  expect(decide([{ ...anywhere, notResources: [TABLE] }], GET)).toBe('not granted');
  expect(decide([{ ...anywhere, notResources: ['*'] }], { ...GET, resource: '' })).toBe('not granted');
  expect(() => decide([rest], GET)).toThrow(/either what it is for or what it is not for/);
});

test.each([
  ['dynamodb:*', '*', true],
  ['dynamodb:Get*', 'arn:aws:dynamodb:*:*:table/c?ntent', true],
  ['DynamoDB:getitem', TABLE, true],
  ['dynamodb:Get', TABLE, false],
  ['dynamodb:GetItem', 'arn:aws:dynamodb:*:table/c?tent', false],
  ['dynamodb:GetItem', TABLE.toUpperCase(), false],
  ['dynamodb.GetItem', TABLE, false],
])('%s on %s: %s', (action, resource, isAllowed) => {
  const rule: Rule = { ...ALLOW, actions: [action], resources: [resource] };

  expect(decide([rule], GET)).toBe(isAllowed ? 'allowed' : 'not granted');
});

test.each([
  ['StringEquals', ['campaigns'], ['campaigns'], true],
  ['StringEquals', ['campaigns'], ['*'], false],
  ['StringEquals', [], ['campaigns'], false],
  ['StringLike', ['answer#1'], ['quota#*', 'answer#*'], true],
  ['StringLike', [], ['*'], false],
  ['ForAllValues:StringLike', ['answer#1', 'answer#2'], ['answer#*'], true],
  ['ForAllValues:StringLike', ['answer#1', 'quota#2'], ['answer#*'], false],
  // The trap of this operator: a request without the key passes.
  ['ForAllValues:StringEquals', [], ['campaigns'], true],
])('%s of %j by %j: %s', (operator, found, wanted, isMet) => {
  const rule: Rule = { ...ALLOW, conditions: { [operator]: { 'dynamodb:LeadingKeys': wanted } } };
  const check: Check = { ...GET, context: { 'dynamodb:LeadingKeys': found } };

  expect(decide([rule], check)).toBe(isMet ? 'allowed' : 'not granted');
});

test('all conditions of a statement must be met', () => {
  const conditions = {
    StringEquals: { 'kms:ViaService': ['s3.eu-central-1.amazonaws.com'] },
    StringLike: { 'dynamodb:LeadingKeys': ['camp*'] },
  };
  const through = (service: string) => {
    return { ...GET, context: { ...GET.context, 'kms:ViaService': [`${service}.eu-central-1.amazonaws.com`] } };
  };

  expect(decide([{ ...ALLOW, conditions }], through('s3'))).toBe('allowed');
  expect(decide([{ ...ALLOW, conditions }], through('sqs'))).toBe('not granted');
});

test('what nobody here knows fails, and is not taken for allowed or for refused', () => {
  const under = (conditions: Rule['conditions']) => () => decide([{ ...ALLOW, conditions }], GET);

  expect(under({ StringEquals: { 'aws:SourceIp': ['192.0.2.1'] } })).toThrow(/aws:SourceIp of dynamodb:GetItem/);
  expect(under({ StringNotEquals: { 'dynamodb:LeadingKeys': ['a'] } })).toThrow(/by StringNotEquals/);
  expect(under({ 'ForAnyValue:StringEquals': { 'dynamodb:LeadingKeys': ['a'] } })).toThrow(/by ForAnyValue/);
  expect(under({ StringLike: { 'dynamodb:LeadingKeys': ['${aws:userid}'] } })).toThrow(/has a variable/);
  expect(() => decide([{ ...ALLOW, resources: ['${aws:userid}'] }], GET)).toThrow(/has a variable/);
  const several: Check = { ...GET, context: { 'dynamodb:LeadingKeys': ['a', 'b'] } };
  const conditions = { StringEquals: { 'dynamodb:LeadingKeys': ['a', 'b'] } };
  expect(() => decide([{ ...ALLOW, conditions }], several)).toThrow(/several values/);
});

test('a condition of a statement that is for something else is not asked for', () => {
  const conditions = { Bool: { 'aws:MultiFactorAuthPresent': ['true'] } };
  const other: Rule = { ...ALLOW, actions: ['dynamodb:PutItem'], conditions };

  expect(decide([ALLOW, other], GET)).toBe('allowed');
});
