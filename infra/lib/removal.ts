import { RemovalPolicy } from 'aws-cdk-lib';

/** Stays when the stack goes, but not when its very creation fails: nobody would look for it. */
export const KEPT = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE;

/** What holds data that cannot be made again stays in production only. */
export function keptIf(production: boolean): RemovalPolicy {
  return production ? KEPT : RemovalPolicy.DESTROY;
}
