import { Annotations, Stack, Tags } from 'aws-cdk-lib';
import * as budgets from 'aws-cdk-lib/aws-budgets';
import { Construct } from 'constructs';

import type { BudgetSettings, Environment } from './environments.js';

/**
 * Key of the tag that all resources have, with the stack's name. Costs can be filtered by it once it
 * is activated as a cost allocation tag, by whoever pays for the account.
 */
const TAG = 'braze-content-stack';

/** Percent of the budget that was spent, from which on somebody should know. */
const SPENT_PERCENT = 80;

/** Tags all of the stack, and tells by AWS Budgets what a month costs. */
export class Budget extends Construct {
  constructor(scope: Construct, id: string, { alarms, budget, production }: Environment) {
    super(scope, id);
    const stack = Stack.of(this);
    Tags.of(stack).add(TAG, stack.stackName);
    // By mail itself: the topic would have to let one more service in.
    const address = alarms.ticketEmail ?? alarms.email;
    if (budget !== undefined && address !== undefined) {
      this.monthly(budget, address);
    } else if (production) {
      Annotations.of(this).addWarningV2(
        'braze-content:budget',
        'nobody is told when a month costs too much: give the stage a budget (docs/settings.md)',
      );
    }
  }

  private monthly({ monthlyUsd, of }: BudgetSettings, address: string): void {
    const { stackName } = Stack.of(this);
    const notify = (notificationType: 'ACTUAL' | 'FORECASTED', threshold: number) => ({
      notification: { comparisonOperator: 'GREATER_THAN', notificationType, threshold },
      subscribers: [{ address, subscriptionType: 'EMAIL' }],
    });
    new budgets.CfnBudget(this, 'Monthly', {
      budget: {
        budgetLimit: { amount: monthlyUsd, unit: 'USD' },
        budgetType: 'COST',
        // With them nothing seems to cost anything while credits last, and then all does at once.
        costTypes: { includeCredit: false, includeRefund: false },
        timeUnit: 'MONTHLY',
        ...(of === 'stack' && { costFilters: { TagKeyValue: [`user:${TAG}$${stackName}`] } }),
      },
      notificationsWithSubscribers: [notify('ACTUAL', SPENT_PERCENT), notify('FORECASTED', 100)],
    });
  }
}
