/**
 * Lets the browser open this page without the relay from now on. Nothing to do in development, and where
 * there are no service workers: plain http to another machine, and some private windows.
 */
export async function keepPage(): Promise<void> {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("/offline-worker.js");
  } catch (error) {
    // The page works all the same while the relay is there.
    console.info("This page cannot be opened without the relay:", error);
  }
}
