export { AdminServer, type AdminOptions } from "./admin-server.ts";
