import { createServer } from "node:net";

import type { DiagnoseOptions } from "./diagnose-lan.ts";
import { knockAt } from "./knock-at.ts";
import type { LanFinding } from "./lan-finding.ts";

/** Whether this device can listen at a port, or does so already. */
export async function diagnosePort(
  port: number,
  {
    identity,
    scheduler,
    knockMsMax,
  }: Pick<DiagnoseOptions, "identity" | "scheduler" | "knockMsMax">,
): Promise<LanFinding> {
  const check = "port";
  const failure = await listenOnce(port);
  if (failure === undefined) return { check, isFine: true, what: `port ${port} is free` };
  if (failure !== "EADDRINUSE") {
    const what = `nobody can listen at port ${port} (${failure})`;
    const advice = "choose a port above 1023 with --port";
    return { check, isFine: false, cause: "port-not-permitted", what, advice };
  }
  const knocked = await knockAt({ host: "127.0.0.1", port }, { identity, scheduler, knockMsMax });
  if (knocked.found === "device" && knocked.fingerprint === identity.fingerprint) {
    return { check, isFine: true, what: `this device listens at port ${port}` };
  }
  const what = `port ${port} is taken by another program`;
  const advice = "stop that program, or choose another port with --port";
  return { check, isFine: false, cause: "port-taken", what, advice };
}

/** The code of the system, if it is not to be had. */
function listenOnce(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code ?? "unknown"));
    server.listen(port, () => server.close(() => resolve(undefined)));
  });
}
