/**
 * States an invariant. A failure is a mistake of the programmer, never an operating condition, so it
 * carries no code and nobody should catch it. Stays on in production: a replica that has lost an
 * invariant must stop before it acknowledges anything else.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}

/** Marks a switch as complete: the compiler refuses the call while a variant is unhandled. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
