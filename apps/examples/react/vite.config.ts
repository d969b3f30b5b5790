import { defineConfig } from "vite";

// A cache of its own: the two pages may be started beside each other, and bundle different packages.
export default defineConfig({ cacheDir: "node_modules/.vite" });
