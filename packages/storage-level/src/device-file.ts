/** What was found where a device keeps its key. The store reads no key files: whoever asks it says. */
export type DeviceFile =
  | { readonly found: "none" }
  | { readonly found: "damaged"; readonly why: string }
  /** In hex. */
  | { readonly found: "whole"; readonly publicKey: string };
