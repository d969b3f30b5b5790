import { coldOpen } from "./cold-open.ts";
import { curveClients } from "./curve-clients.ts";
import { curveDocuments, curveLanes, curveSize } from "./curve-store.ts";
import { documents } from "./documents.ts";
import { durability } from "./durability.ts";
import { fanOut, fanOutAtRate } from "./fan-out.ts";
import { idle } from "./idle.ts";
import { library } from "./library.ts";
import { returning } from "./returning.ts";
import type { Row } from "./row.ts";

/** In the order in which they run. */
export const allRows: readonly Row[] = [
  fanOut,
  fanOutAtRate,
  documents,
  durability,
  returning,
  library,
  coldOpen,
  idle,
  curveClients,
  curveDocuments,
  curveSize,
  curveLanes,
];
