import { coldOpen } from "./cold-open.ts";
import { curveClients } from "./curve-clients.ts";
import { curveDocuments, curveLanes, curveSize } from "./curve-store.ts";
import { documents } from "./documents.ts";
import { durability } from "./durability.ts";
import { fanOut, fanOutAtRate } from "./fan-out.ts";
import { idle } from "./idle.ts";
import { library } from "./library.ts";
import { peers } from "./peers.ts";
import { returning } from "./returning.ts";
import type { Row } from "./row.ts";
import { typedBytes } from "./typed-bytes.ts";

/** In the order in which they run. */
export const allRows: readonly Row[] = [
  fanOut,
  fanOutAtRate,
  documents,
  durability,
  returning,
  peers,
  typedBytes,
  library,
  coldOpen,
  idle,
  curveClients,
  curveDocuments,
  curveSize,
  curveLanes,
];
