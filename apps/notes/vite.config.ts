import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

import { offlineFiles } from "./offline-files.ts";

/**
 * Everything the page needs comes from where the page came from, WebSocket included.
 * `unsafe-inline` is for styles only: CodeMirror mounts its style sheet as a `<style>` element. Nothing a peer
 * sends ends up in a style, so what it permits cannot be reached from outside (see remote-carets.ts).
 */
const contentSecurityPolicy = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** Only in the built page: the development server needs inline scripts for hot reloading. */
function contentSecurityPolicyTag(): Plugin {
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: () => [
      {
        tag: "meta",
        attrs: { "http-equiv": "Content-Security-Policy", content: contentSecurityPolicy },
        injectTo: "head-prepend",
      },
    ],
  };
}

export default defineConfig({
  plugins: [react(), contentSecurityPolicyTag(), offlineFiles()],
  // Two copies of yjs on one page do not recognise each other's types.
  resolve: { dedupe: ["yjs"] },
  // One page, one script: splitting it would only add round trips. A worker keeps its name over all builds.
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1200,
    rolldownOptions: {
      input: { index: "index.html", "offline-worker": "src/offline/offline-worker.ts" },
      output: {
        entryFileNames: ({ name }) => {
          return name === "offline-worker" ? "[name].js" : "assets/[name]-[hash].js";
        },
      },
    },
  },
});
