/** A promise that is settled from outside; `Promise.withResolvers` is not in Node 20. */
export class Signal<T> {
  readonly promise: Promise<T>;
  resolve: (value: T) => void = () => {};
  reject: (error: Error) => void = () => {};

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Whoever waits sees a rejection; a signal nobody waits for is not an error of its own.
    this.promise.catch(() => {});
  }
}
