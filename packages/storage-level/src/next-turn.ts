/** Resolves once what is due by now has run, without the four milliseconds of a browser's timer. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else postTask(resolve);
  });
}

/** What a message channel is to a page; Node describes its own otherwise. */
interface PageChannel {
  readonly port1: { onmessage: (() => void) | null; close(): void };
  readonly port2: { postMessage(message: undefined): void };
}

function postTask(task: () => void): void {
  const { port1, port2 } = new MessageChannel() as unknown as PageChannel;
  port1.onmessage = () => {
    port1.close();
    task();
  };
  port2.postMessage(undefined);
}
