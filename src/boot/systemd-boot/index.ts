export { installSystemdBoot, type SystemdBootOptions } from "./install.ts";
export type { LoaderConfiguration } from "./loader-conf.ts";
