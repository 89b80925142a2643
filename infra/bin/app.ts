import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';

import { codePath } from '../lib/assets.js';
import { askedOfBedrock, campaignsFolder } from '../lib/campaigns.js';
import { environment } from '../lib/environments.js';
import { PipelineStack } from '../lib/pipeline-stack.js';

const app = new App();
// Settings of an operator's own are judged before anything is deployed.
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
const stage = String(app.node.tryGetContext('stage') ?? 'dev');
const settings = environment(stage);
// A deployment must not put placeholders where programs run; a look at the template may.
const required = app.node.tryGetContext('built') === 'true';
// A folder of other programs than `make lambdas` built.
const programs: string | undefined = app.node.tryGetContext('programs');
// The same folder as `make lambdas` copies from.
const campaigns = campaignsFolder(app.node.tryGetContext('campaigns'));

new PipelineStack(app, `BrazeContent-${stage}`, {
  env: {
    account: settings.account ?? process.env['CDK_DEFAULT_ACCOUNT'],
    region: settings.region ?? process.env['CDK_DEFAULT_REGION'],
  },
  environment: settings,
  asked: askedOfBedrock(campaigns),
  codePath: (program) => codePath(settings, program, { programs, required }),
});
