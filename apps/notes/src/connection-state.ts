/**
 * What this window knows about its connection for one document.
 *
 *   connecting ──opened──► catching-up ──caught-up──► connected
 *       │                      │                          │
 *       └────────lost──────────┴──────────lost────────────┘──► offline ──opened──► catching-up
 *
 *   any ──refused──► refused: the relay said that asking again is pointless.
 *
 * Whether an edit is saved, and where, is another matter: see `DocumentStatus`.
 */
export type ConnectionState =
  | { readonly name: "connecting" }
  | { readonly name: "catching-up" }
  | { readonly name: "connected" }
  | { readonly name: "offline" }
  | { readonly name: "refused"; readonly code: number; readonly reason: string };

export type ConnectionEvent =
  | { readonly name: "opened" }
  | { readonly name: "caught-up" }
  | { readonly name: "lost" }
  | { readonly name: "refused"; readonly code: number; readonly reason: string };

export function nextConnectionState(
  state: ConnectionState,
  event: ConnectionEvent,
): ConnectionState {
  if (state.name === "refused") return state;
  switch (event.name) {
    case "opened":
      return { name: "catching-up" };
    case "caught-up":
      return { name: "connected" };
    case "lost":
      return { name: "offline" };
    case "refused":
      return event;
  }
}
