import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

import { AccessLogs } from './access-logs.js';
import { Alarms } from './alarms.js';
import { ANSWERER_TIMEOUT, bedrockAccess } from './answerer.js';
import { Api } from './api.js';
import { AsksWorker } from './asks-worker.js';
import { Asks, modelsOf } from './asks.js';
import { BrazeRole } from './braze-role.js';
import { Budget } from './budget.js';
import type { AskedOfBedrock } from './campaigns.js';
import { Canary } from './canary.js';
import { refuseContradictions } from './contradictions.js';
import { Currents } from './currents.js';
import { Dashboard } from './dashboard.js';
import { DeadLetters } from './dead-letters.js';
import { Encryption } from './encryption.js';
import { EventsDoor } from './events-door.js';
import type { Environment } from './environments.js';
import { Ingest, INGEST_TIMEOUT } from './ingest.js';
import { Jobs } from './jobs.js';
import { ModelQuotas } from './model-quotas.js';
import { Names } from './names.js';
import { OperatorRole } from './operator-role.js';
import { Processor } from './processor.js';
import type { ProgramName } from './program.js';
import { Registry } from './registry.js';
import { Tables } from './tables.js';
import { UserRecords } from './user-records.js';

export interface PipelineStackProps extends StackProps {
  /** Folder of a program's `bootstrap`; tests give an empty one, so that synth never runs cargo. */
  readonly codePath: (program: ProgramName) => string;
  readonly environment: Environment;
  /** What the campaigns ask of Amazon Bedrock, and so may get. */
  readonly asked: AskedOfBedrock;
}

/** The whole system: each part is one construct in a file of its own. */
export class PipelineStack extends Stack {
  constructor(scope: Construct, id: string, props: PipelineStackProps) {
    super(scope, id, {
      ...props,
      terminationProtection: props.environment.production,
    });
    const { asked, codePath, environment } = props;
    refuseContradictions(environment, asked);
    new Budget(this, 'Budget', environment);
    const encryption = new Encryption(this, 'Encryption');
    const alarms = new Alarms(this, 'Alarms', { settings: environment.alarms });
    const accessLogs = new AccessLogs(this, 'AccessLogs');
    const kept = { alarms, encryption };

    const currents = new Currents(this, 'Currents', {
      ...kept,
      accessLogs,
      production: environment.production,
      settings: environment.currents,
      ingestTimeout: INGEST_TIMEOUT,
    });
    if (environment.currents.braze !== undefined) {
      const { braze, prefix } = environment.currents;
      new BrazeRole(this, 'BrazeRole', { braze, currents, prefix });
    }
    const records = new UserRecords(this, 'UserRecords', {
      ...kept,
      production: environment.production,
      settings: environment.stream,
    });
    const deadLetters = new DeadLetters(this, 'DeadLetters', {
      ...kept,
      production: environment.production,
      records,
    });
    const tables = new Tables(this, 'Tables', { ...kept, production: environment.production });

    const asks = new Asks(this, 'Asks', {
      ...kept,
      production: environment.production,
      models: modelsOf(asked, environment),
      workerTimeout: ANSWERER_TIMEOUT,
    });
    const quotas = new ModelQuotas(this, 'ModelQuotas', {
      quotas: environment.processor.modelQuotas,
      settings: environment,
    });

    const registry = new Registry(this, 'Registry', { accessLogs, encryption, environment, tables });

    const program = (name: ProgramName) => ({ ...kept, environment, registry, codePath: codePath(name) });
    const ingest = new Ingest(this, 'Ingest', {
      ...program('ingest'),
      currents,
      deadLetters,
      records,
      tables,
    });
    const jobs = new Jobs(this, 'Jobs', {
      accessLogs,
      encryption,
      access: bedrockAccess(asked, environment),
    });
    const answerer = { ...program('processor'), asked, asks, deadLetters, jobs, quotas, tables };
    const processor = new Processor(this, 'Processor', { ...answerer, accessLogs, records });
    const asksWorker = new AsksWorker(this, 'AsksWorker', answerer);
    const api = new Api(this, 'Api', { ...program('api'), tables });

    const eventsDoor = new EventsDoor(this, 'EventsDoor', {
      ...program('ingest'),
      api,
      currents,
      deadLetters,
      records,
      tables,
    });

    new Canary(this, 'Canary', { alarms, api, environment, eventsDoor });

    const programs = [ingest, processor, asksWorker, api, eventsDoor].map((each) => each.program);
    const names = new Names(this, 'Names', {
      api,
      asked,
      asks,
      asksWorker,
      budgets: environment.campaigns.budgets,
      currents,
      deadLetters,
      encryption,
      eventsDoor,
      ingest,
      processor,
      quotas,
      records,
      registry,
      streamBuckets: environment.ingest.streamBuckets,
      tables,
    });
    if (environment.operators !== undefined) {
      new OperatorRole(this, 'OperatorRole', {
        principals: environment.operators,
        programs,
        asks,
        currents,
        deadLetters,
        encryption,
        names,
        processor,
        records,
        registry,
        tables,
      });
    }
    registry.watch(alarms, programs);
    alarms.watchOutages();

    new Dashboard(this, 'Dashboard', {
      alarms,
      api,
      asks,
      asked,
      asksWorker,
      currents,
      deadLetters,
      eventsDoor,
      ingest,
      processor,
      records,
    });
  }
}
