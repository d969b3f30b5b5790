import type { Scheduler } from "@heddle/core";

/** The `Scheduler` port on the platform's timers. */
export const timerScheduler: Scheduler = {
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
};
