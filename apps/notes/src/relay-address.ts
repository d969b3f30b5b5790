/**
 * Where documents are reached: the origin that served this page, because the relay does both.
 * Only the development server, which is not a relay, listens to `?relay=ws://host:port`.
 */
export function relayAddress(page: Location): string {
  const chosen = import.meta.env.DEV ? new URLSearchParams(page.search).get("relay") : null;
  return chosen ?? `${page.protocol === "https:" ? "wss:" : "ws:"}//${page.host}`;
}
