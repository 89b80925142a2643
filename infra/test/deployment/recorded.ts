import type { Check } from './evaluator.js';
import type { Request } from './checks.js';

/** What programs asked, as the list of requests has it: by program and operation, of what. */
export type Listed = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** All that programs asked of AWS, each request once. */
export class Recorded {
  private readonly requests = new Map<string, { readonly program: string; readonly request: Request }>();

  add(program: string, request: Request): void {
    this.requests.set(JSON.stringify([program, request]), { program, request });
  }

  /** The list, in the order that it is kept in. */
  listed(): Listed {
    const kinds = new Map<string, Map<string, Set<string>>>();
    for (const { program, request } of this.requests.values()) {
      const operations = entry(kinds, program, () => new Map<string, Set<string>>());
      const of = entry(operations, request.operation, () => new Set<string>());
      request.kinds.forEach((kind) => of.add(kind));
    }
    return sorted(kinds, (operations) => sorted(operations, (of) => [...of].sort()));
  }

  /** All that was checked of a program's requests. */
  checksOf(program: string): readonly Check[] {
    const own = [...this.requests.values()].filter((each) => each.program === program);
    return own.flatMap(({ request }) => request.checks);
  }
}

/** One operation on one kind of thing a line, so that lists can be compared. */
export function lines(listed: Listed): string[] {
  return Object.entries(listed).flatMap(([program, asked]) =>
    Object.entries(asked).flatMap(([operation, kinds]) => kinds.map((kind) => `${program} ${operation} ${kind}`)),
  );
}

function entry<V>(map: Map<string, V>, key: string, make: () => V): V {
  const found = map.get(key) ?? make();
  map.set(key, found);
  return found;
}

function sorted<V, R>(map: ReadonlyMap<string, V>, of: (value: V) => R): Record<string, R> {
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, of(value)]));
}
