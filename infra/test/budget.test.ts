import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';

import { DEV, EVERYTHING, example, PROD } from './example.js';

/** Types of what costs most. */
const TAGGED = ['AWS::Lambda::Function', 'AWS::DynamoDB::Table', 'AWS::Kinesis::Stream', 'AWS::SQS::Queue'];

/** The filter of the costs that the budget of a template counts. */
function filterOf(template: Template): unknown {
  const [budget] = Object.values(template.findResources('AWS::Budgets::Budget'));
  return budget?.Properties.Budget.CostFilters;
}

test('an operator is told of four fifths of a budget, and of a month that will go beyond it, where tickets go', () => {
  const subscribers = [{ Address: 'team@example.com', SubscriptionType: 'EMAIL' }];

  example(EVERYTHING).template.hasResourceProperties('AWS::Budgets::Budget', {
    Budget: { BudgetLimit: { Amount: 2000, Unit: 'USD' }, BudgetType: 'COST', TimeUnit: 'MONTHLY' },
    NotificationsWithSubscribers: [
      { Notification: Match.objectLike({ NotificationType: 'ACTUAL', Threshold: 80 }), Subscribers: subscribers },
      { Notification: Match.objectLike({ NotificationType: 'FORECASTED', Threshold: 100 }), Subscribers: subscribers },
    ],
  });
});

test('a budget counts what was used, though credits pay for it until they end', () => {
  for (const of of ['account', 'stack'] as const) {
    example({ ...EVERYTHING, budget: { monthlyUsd: 100, of } }).template.hasResourceProperties('AWS::Budgets::Budget', {
      Budget: { CostTypes: { IncludeCredit: false, IncludeRefund: false } },
    });
  }
});

test('a budget of the stack counts what has its tag, which all that costs has', () => {
  const { template } = example(EVERYTHING);

  expect(filterOf(template)).toEqual({ TagKeyValue: ['user:braze-content-stack$Test'] });
  for (const type of TAGGED) {
    template.allResourcesProperties(type, {
      Tags: Match.arrayWith([{ Key: 'braze-content-stack', Value: 'Test' }]),
    });
  }
});

test('a budget of the account counts all, and so the calls of the model too, which take no tag', () => {
  const { template } = example({ ...EVERYTHING, budget: { monthlyUsd: 100, of: 'account' } });

  expect(filterOf(template)).toBeUndefined();
});

test('production without a budget is warned of it, and elsewhere there is none', () => {
  const warned = (settings = DEV) =>
    Annotations.fromStack(example(settings).stack).findWarning('*', Match.stringLikeRegexp('give the stage a budget'));

  expect(warned({ ...PROD, budget: undefined })).toHaveLength(1);
  expect(warned(PROD)).toHaveLength(0);
  expect(warned(DEV)).toHaveLength(0);
  example(DEV).template.resourceCountIs('AWS::Budgets::Budget', 0);
});
