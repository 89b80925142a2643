import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';

/** Time to end in by itself, after it was asked to. */
const END_MS = 10_000;

/** A program that runs beside the test. */
export class Process {
  private constructor(
    private readonly child: ChildProcess,
    private readonly log: string,
  ) {
    // Whoever ends the test early must not leave it running.
    process.once('exit', () => child.kill('SIGTERM'));
  }

  /** Starts it; what it says goes to the file `log`. */
  static start(command: string, args: string[], log: string, options: SpawnOptions = {}): Process {
    const file = openSync(log, 'w');
    const child = spawn(command, args, { ...options, stdio: ['ignore', file, file] });
    // A program that cannot be started has no id, which is asked for below.
    child.on('error', () => {});
    closeSync(file);
    return new Process(child, log);
  }

  /** What it said so far. */
  said(): string {
    return readFileSync(this.log, 'utf8');
  }

  /** Throws if it has ended, with what it said last. */
  assertRunning(): void {
    if (this.hasEnded()) {
      throw new Error(`${this.child.spawnfile} has ended:\n${this.said().slice(-4000)}`);
    }
  }

  /** Asks it to end, so that it ends what it started itself, and ends it if it does not. */
  async stop(): Promise<void> {
    if (this.hasEnded()) {
      return;
    }
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGKILL'), END_MS);
    await ended;
    clearTimeout(late);
  }

  private hasEnded(): boolean {
    const { exitCode, pid, signalCode } = this.child;
    return pid === undefined || exitCode !== null || signalCode !== null;
  }
}
