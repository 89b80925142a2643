import { App } from 'aws-cdk-lib';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { PipelineStack } from '../lib/pipeline-stack.js';

const app = new App();

// Programs are built outside of CDK; without them the template can still be looked at.
const built = join(import.meta.dirname, '../../target/lambda-assets');
const placeholder = join(import.meta.dirname, '../test/fixtures/bootstrap');

new PipelineStack(app, 'BrazeContent', {
  codePath: (program) => (existsSync(join(built, program)) ? join(built, program) : placeholder),
  modelQuotas: { '*': { tokensPerMinute: 100_000 } },
  maxProcessors: 16,
  modelArns: [],
  guardrailArns: [],
});
